"""A workspace to look at, written as jobs write it: runs in every state, one of them live."""

from __future__ import annotations

import fcntl
import json
import math
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from workspace import machine
from workspace.files import write_json
from workspace.layout import Workspace

STEPS = 2000


def write_workspace(root: Path) -> Path:
    """Write a workspace with a live run and three that ended; return the events of the live one."""
    root.mkdir(parents=True, exist_ok=True)
    workspace = Workspace(root)
    live = _run(workspace, "live", "running", 21, 400)
    for day, name, kept in ((13, "tempered", 0.955), (12, "naive", 0.31)):
        _evaluation(workspace, _run(workspace, name, "finished", day, STEPS), day, kept)
    _run(workspace, "first", "failed", 11, 300)
    return live / "events.jsonl"


@contextmanager
def alive(events: Path) -> Iterator[None]:
    """Hold the lock of the live run's job as its process would: by it readers know that it lives.

    Without it they would have to look for the process.
    """
    with (events.parent / "lock").open("a+b") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _run(workspace: Workspace, name: str, state: str, day: int, steps: int) -> Path:
    run = workspace.runs / f"202611{day:02d}-120000-{name}-ab12"
    job = workspace.jobs / f"202611{day:02d}-115959-train-{name}"
    for directory in (run, job):
        directory.mkdir(parents=True)
    write_json(
        run / "run.json",
        {
            "schema_version": 1, "id": run.name, "name": name, "job": job.name,
            "recipe": str(workspace.root / "temper.yaml"), "method": "sft", "adapter": "lora",
            "base": {"path": "builtin", "digest": "0" * 64, "revision": None},
            "dataset": str(workspace.root / "datasets/triage/1a2b3c4d"), "steps": STEPS,
        },
    )  # fmt: skip
    write_json(
        job / "job.json",
        {
            "schema_version": 1, "id": job.name, "kind": "train", "argv": ["temper", "train"],
            "state": state, "attempt": 1, **machine.own_identity(), "started": time.time() - 600,
            "ended": None, "exit_code": None, "error": None, "result": f"runs/{run.name}",
        },
    )  # fmt: skip
    with (job / "events.jsonl").open("w", encoding="utf-8") as stream:
        stream.writelines(event(step) for step in range(1, steps + 1))
    with (job / "log.txt").open("w", encoding="utf-8") as stream:
        stream.writelines(f"step {step} of {STEPS}: saved\n" for step in range(100, steps, 100))
    return job


def _evaluation(workspace: Workspace, job: Path, day: int, kept: float) -> None:
    """Write what an evaluation says: a task gained, an ability kept or lost."""
    directory = workspace.evals / f"202611{day:02d}-130000-eval-cd34"
    directory.mkdir(parents=True)
    run = workspace.root / json.loads((job / "job.json").read_text())["result"]
    lost = kept < 0.9
    verdict = {
        "status": "fail" if lost else "pass",
        "headline": "Refused: addition was lost." if lost else "Passed: it gained and kept.",
        "abilities": [
            _ability("triage", "target", 0.0, 0.712, passed=True),
            _ability("addition", "retention", 0.96, kept, passed=not lost),
        ],
    }
    models = [
        {"name": "base", "role": "base", "path": "builtin"},
        {"name": "tuned", "role": "tuned", "path": str(run / "model")},
    ]
    compared = [{"base": "base", "tuned": "tuned", "verdict": verdict}]
    results = {"schema_version": 1, "id": directory.name, "models": models, "comparisons": compared}
    write_json(directory / "results.json", results)


def _ability(name: str, purpose: str, base: float, tuned: float, *, passed: bool) -> dict[str, Any]:
    change = round(tuned - base, 4)
    return {
        "name": name, "purpose": purpose, "verdict": "pass" if passed else "fail", "base": base,
        "tuned": tuned, "difference": change, "low": change - 0.02, "high": change + 0.02,
    }  # fmt: skip


def event(step: int) -> str:
    """Return the line of one step: a loss that falls, with some noise."""
    noise = random.Random(step).gauss(0, 0.03)
    metrics: dict[str, Any] = {
        "kind": "metrics", "time": 1_795_000_000 + step / 2, "attempt": 1, "step": step,
        "max_steps": STEPS, "loss": 0.2 + 2.4 * math.exp(-step / 300) + noise,
        "learning_rate": 2e-4, "grad_norm": 1.0 + noise, "tokens_per_second": 3200.0,
    }  # fmt: skip
    return json.dumps(metrics) + "\n"
