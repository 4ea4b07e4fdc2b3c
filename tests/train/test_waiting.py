"""`temper train` on a machine whose only GPU is busy: a GPU that the driver would list is faked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from workspace.claims import Place
from workspace.gpu_locks import Owner, try_lock
from workspace.gpus import Gpu
from workspace.jobs import read_job

FAKE = """
import workspace.gpus, workspace.gpu_locks
from pathlib import Path
workspace.gpu_locks.LOCKS = Path({locks!r})
one = workspace.gpus.Gpu(0, "GPU-a", "Test", 80 * 2**30, 79 * 2**30, 0)
workspace.gpus.list_gpus = lambda: [one]
"""


@pytest.mark.slow
def test_a_detached_run_waits_for_the_gpu_is_stopped_resumed_and_takes_its_turn(
    bench: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bench.recipe()
    monkeypatch.setattr("workspace.gpu_locks.LOCKS", tmp_path / "locks")
    (tmp_path / "fake").mkdir()
    (tmp_path / "fake/sitecustomize.py").write_text(FAKE.format(locks=str(tmp_path / "locks")))
    root = str(Path(__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path / 'fake'}:{root}"}
    environment.pop("CUDA_VISIBLE_DEVICES", None)

    def temper(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "tui", *arguments],
            cwd=bench.root,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    lock = try_lock("GPU-a", Owner.this_process(job="in-the-way"))
    assert lock is not None
    job = json.loads(temper("train", "--detach", "--json"))["job"]
    directory = bench.workspace.jobs / job
    until(lambda: read_job(directory).waiting)
    assert f"has job in-the-way (pid {os.getpid()})" in (read_job(directory).waiting or "")
    (listed,) = json.loads(temper("queue", "--json"))["waiting"]
    assert (listed["job"], listed["place"]) == (job, 1)
    assert "queued" in temper("jobs") and "place 1 of 1" in temper("jobs")
    temper("stop", job)
    until(lambda: read_job(directory).state == "stopped")
    (run,) = bench.workspace.runs.iterdir()
    assert not (run / "model").exists()

    assert json.loads(temper("resume", run.name, "--detach", "--json"))["job"] == job
    until(lambda: read_job(directory).waiting)
    lock.close()
    until(lambda: read_job(directory).state not in ("queued", "running"))
    assert (read_job(directory).state, (run / "model").is_dir()) == ("finished", True)
    assert '"kind": "claimed"' in (directory / "events.jsonl").read_text()


def test_the_documentation_shows_what_a_waiting_job_says() -> None:
    gpu = Gpu(0, "GPU-a", "NVIDIA H100", 1, 1, 0)
    holder = Owner("20261120-233000-train-1a2b", "train", "/home/ada/triage", 4242)
    before = Owner("20261120-234500-train-3c4d", "train", "/home/ada/tone", 4711)
    place = Place(2, 3, (f"{gpu} has {holder}",), (before,))
    text = (Path(__file__).parents[2] / "docs/queue.md").read_text()
    assert f"waiting for a GPU: {place}\n" in text


def until(condition: Callable[[], Any], seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
