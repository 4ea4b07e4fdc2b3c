"""`temper curate augment` as a process of its own: killed, stopped, stormed upon, gone on with."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from .conftest import Served, question_rows

CONCURRENCY = 4
WANTED = 40


@pytest.fixture
def command(served: Served, tmp_path: Path, reworded: Any) -> Callable[..., list[str]]:
    """A workspace whose recipe asks the scripted server; returns the command line."""
    served.script.answer = reworded
    served.script.seconds = 0.03
    (tmp_path / "rows.jsonl").write_text(
        "".join(f"{json.dumps(row)}\n" for row in question_rows(40)), encoding="utf-8"
    )
    backend = served.backend(concurrency=CONCURRENCY, price={"input": 1.0, "output": 2.0})
    augment = {
        "backend": backend,
        "generate": [{"paraphrase": {"per_row": 4}}],
        "target": {"rows": WANTED},
        "batch": 16,
    }
    recipe = {"name": "mine", "curate": {"sources": ["rows.jsonl"]}, "augment": augment}
    (tmp_path / "temper.yaml").write_text(json.dumps(recipe), encoding="utf-8")
    run([sys.executable, "-P", "-m", "tui", "curate"], tmp_path)

    def line(name: str = "made") -> list[str]:
        return [*temper(), "augment", "--json", "--set", f"augment.name={name}"]

    return line


def temper() -> list[str]:
    return [sys.executable, "-P", "-m", "tui", "curate"]


def run(line: list[str], directory: Path) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(line, cwd=directory, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done


def begun(line: list[str], directory: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        line, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def wait_for(answers: int, served: Served, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while sum(served.script.paid.values()) < answers:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.005)


def logged(directory: Path, name: str, kind: str = "done") -> set[str]:
    path = directory / "datasets" / ".augment" / name / "requests.jsonl"
    keys = set()
    for line in path.read_bytes().splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            continue  # the torn last line of a killed process
        if record["kind"] == kind:
            keys.add(record["key"])
    return keys


def rows(directory: Path, name: str, table: str = "train") -> pl.DataFrame:
    return pl.read_parquet(directory / "datasets" / name / "current" / f"{table}.parquet")


@pytest.mark.slow
def test_a_killed_augmentation_goes_on_without_paying_twice(
    served: Served, command: Callable[..., list[str]], tmp_path: Path
) -> None:
    run(command("whole"), tmp_path)
    whole = Counter(served.script.paid)
    assert set(whole.values()) == {1}
    served.script.paid.clear()
    served.script.keys.clear()
    in_doubt: set[str] = set()
    kept: set[str] = set()
    for answers in (3, 17, 33):
        process = begun(command(), tmp_path)
        wait_for(answers, served, process)
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait(10) == -signal.SIGKILL
        process.communicate()
        kept |= logged(tmp_path, "made")
        in_doubt |= logged(tmp_path, "made", "sent") - kept
        asked_before = Counter(served.script.keys)
    assert len(kept) >= 20 and not (tmp_path / "datasets" / "made").exists()
    done = json.loads(run(command(), tmp_path).stdout)
    # What was kept was never asked again, by any of the four processes.
    assert all(served.script.keys[key] == asked_before[key] == 1 for key in kept - in_doubt)
    assert {key for key, times in served.script.paid.items() if times > 1} <= in_doubt
    assert len(in_doubt) <= 3 * CONCURRENCY  # under way when killed: their answers never came
    assert set(served.script.paid) == set(whole)
    assert done["counts"]["remembered"] >= len(kept)
    assert done["unsure"]["requests"] <= 3 * CONCURRENCY
    assert rows(tmp_path, "made").equals(rows(tmp_path, "whole"))
    assert rows(tmp_path, "made", "made").equals(rows(tmp_path, "whole", "made"))
    assert rows(tmp_path, "made", "dropped").equals(rows(tmp_path, "whole", "dropped"))


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_keeps_what_is_under_way_and_tells_how_to_go_on(
    served: Served, command: Callable[..., list[str]], tmp_path: Path, number: signal.Signals
) -> None:
    process = begun(command(), tmp_path)
    wait_for(10, served, process)
    process.send_signal(number)
    out, told = process.communicate(timeout=20)
    assert process.returncode == 128 + number and out == ""
    assert "the same command goes on" in " ".join(told.split())
    jobs = [
        json.loads(path.read_text()) for path in (tmp_path / "jobs").glob("*-augment-*/job.json")
    ]
    assert [job["state"] for job in jobs] == ["stopped"]
    paid = set(served.script.paid)
    assert logged(tmp_path, "made") == paid  # every answer that was paid for is kept
    done = json.loads(run(command(), tmp_path).stdout)
    assert set(served.script.paid.values()) == {1} == set(served.script.keys.values())
    assert done["unsure"]["requests"] == 0
    assert done["counts"]["remembered"] >= len(paid)
    assert rows(tmp_path, "made").height == WANTED


@pytest.mark.slow
def test_a_storm_of_429_loses_no_row(
    served: Served, command: Callable[..., list[str]], tmp_path: Path
) -> None:
    run(command("calm"), tmp_path)
    served.script.paid.clear()
    served.script.keys.clear()
    before = len(served.script.requests)
    served.script.trouble = lambda nth, tries, body: "429" if nth - before < 40 else ""
    done = json.loads(run(command("stormy"), tmp_path).stdout)
    assert done["counts"]["retried"] == 40 and done["counts"]["failed"] == 0
    assert set(served.script.paid.values()) == {1}
    assert rows(tmp_path, "stormy").equals(rows(tmp_path, "calm"))


@pytest.mark.slow
def test_an_endpoint_that_dies_half_way_leaves_what_was_paid_for(
    served: Served, command: Callable[..., list[str]], tmp_path: Path
) -> None:
    served.script.trouble = lambda nth, tries, body: "401" if nth >= 15 else ""
    failed = subprocess.run(command(), cwd=tmp_path, capture_output=True, text=True, check=False)
    assert failed.returncode == 4
    assert "does not answer" in failed.stderr and "the same command goes on" in failed.stderr
    assert len(logged(tmp_path, "made")) == 15
    served.script.trouble = lambda nth, tries, body: ""
    done = json.loads(run(command(), tmp_path).stdout)
    assert set(served.script.paid.values()) == {1}
    assert done["deficits"][0]["made"] == WANTED
