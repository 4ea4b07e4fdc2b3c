"""`temper serve` as a process, and vLLM in place of our server."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import openai
import psutil
import pytest

from train.serve.run import run_vllm
from train.serve.vllm import VllmCommand, vllm_command
from workspace.errors import WorkError

from .stops import Stops

KEY = "local-" + "0123456789" * 4
VLLM = """#!{python}
import os, signal, subprocess, sys, time
engine = subprocess.Popen(["/bin/sh", "-c", "trap '' INT; sleep 300 & wait"])
open({told!r}, "w").write(str(engine.pid))
os.rename({told!r}, {told!r} + ".done")
signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
{then}
"""


@pytest.mark.parametrize("then", ["time.sleep(300)", "sys.exit(3)"])
def test_no_process_of_vllm_outlives_temper(tmp_path: Path, then: str) -> None:
    program, told = tmp_path / "vllm", tmp_path / "engine"
    program.write_text(VLLM.format(python=sys.executable, told=str(told), then=then))
    program.chmod(0o755)
    done = tmp_path / "engine.done"
    job: Any = Stops()

    def stop() -> None:
        while not done.exists():
            time.sleep(0.02)
        job.asked.set()

    if "sleep" in then:
        threading.Thread(target=stop, daemon=True).start()
    error = nullcontext() if "sleep" in then else pytest.raises(WorkError, match="ended by itself")
    with error:
        run_vllm(VllmCommand((str(program),), ()), KEY, job)
    engine = int(done.read_text())
    for _ in range(100):  # it is another's child now, who may take a moment to notice its end
        if not psutil.pid_exists(engine) or psutil.Process(engine).status() == "zombie":
            return
        time.sleep(0.05)
    os.kill(engine, signal.SIGKILL)
    pytest.fail("vLLM's engine still runs")


def start(trained: Any, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "tui", *arguments],
        cwd=trained.root,
        env={
            **os.environ,
            "PYTHONPATH": str(Path(__file__).parents[3]),
            "OMP_NUM_THREADS": "1",
            **environment,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_the_command_serves_until_it_is_told_to_stop(yard: Any) -> None:
    process = start(
        yard, "serve", yard.run.name, "--port", "0", "--key-env", "MY_API_KEY", MY_API_KEY=KEY
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("serving http://127.0.0.1:"), process.stderr
    with openai.OpenAI(base_url=line.split()[1], api_key=KEY, max_retries=0) as client:
        assert [model.id for model in client.models.list()] == ["base", "toy"]
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert KEY not in out + err
    for file in (yard.root / "jobs").rglob("*"):
        assert not file.is_file() or KEY.encode() not in file.read_bytes(), file


def test_a_made_key_is_not_written_where_there_is_no_terminal(trained: Any) -> None:
    process = start(trained, "serve", trained.run.name, "--port", "0", "--engine", "transformers")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 2 and "--key-env" in err and "local-" not in out + err


def test_vllm_is_told_to_serve_on_loopback_without_the_key(trained: Any) -> None:
    command = vllm_command("vllm", trained.open(), "toy", 8123)
    text = " ".join(command.argv)
    assert "--host 127.0.0.1 --port 8123" in text and "--max-lora-rank 8" in text
    assert command.argv[command.argv.index("--allowed-origins") + 1] == '["http://127.0.0.1:8123"]'
    assert "--disable-fastapi-docs" in text and "under /v1 alone" in " ".join(command.notes)
    assert f"--lora-modules toy={trained.run / 'model'}" in text and "key" not in text
    process = start(trained, "serve", trained.run.name, "--print")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 4 and "trained token rows" in err


def test_vllm_answers_only_where_it_is_asked_for(
    trained: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from train import ship_cli
    from train.serve import vllm

    monkeypatch.setattr(vllm, "find_vllm", lambda: "/opt/vllm")
    monkeypatch.setattr(vllm, "refusal", lambda shipment: "")
    asked = trained.open()
    assert ship_cli._vllm(asked, "auto", 8123, "auto", wanted=False) is None
    command = ship_cli._vllm(asked, "vllm", 8123, "auto", wanted=False)
    assert command is not None and command.argv[:2] == ("/opt/vllm", "serve")
