"""`kill -9` at random moments of `temper train`: every run resumes to the same end.

Commands are processes of their own; those killed while loading start an interpreter of their own
too, the others are forks of one that has torch loaded, which saves ten seconds each.
The seed of the moments is 0, or TEMPER_KILL_SEED.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import psutil
import pyarrow.parquet as pq
import pytest

from train.record import read_record
from workspace.events import last_attempts, read_events
from workspace.files import hash_file, read_json
from workspace.jobs import read_job

from .preferences import pair
from .test_reinforcement import HAS_AN_A, ask

STEPS = 10
COMMON = {"steps": STEPS, "checkpoint_every": 2, "rehearsal": "auto"}
LORA = {"kind": "lora", "r": 4, "dropout": 0.1}
GRPO = {"kind": "grpo", "rewards": [HAS_AN_A], "num_generations": 4, "max_new_tokens": 8}
RECIPES: dict[str, dict[str, Any]] = {
    "sft": {
        **COMMON,
        "adapter": LORA,
        "micro_batch_size": 4,
        "tempering": {"replay": {"dataset": "general", "share": 0.3}},
    },
    "dpo": {**COMMON, "method": "dpo", "adapter": {"kind": "full"}, "batch_size": 4},
    "grpo": {
        **COMMON,
        "method": {**GRPO, "samples_every": 2},
        "adapter": {"kind": "full"},
        "batch_size": 4,
    },
}
MOMENTS = {
    "sft": ["planning", "loading", "step", "step", "checkpoint", "checkpoint", "publishing"],
    "dpo": ["planning", "loading", "step", "step", "checkpoint", "checkpoint", "publishing"],
    "grpo": ["loading", "step", "step", "checkpoint", "checkpoint", "publishing"],
}
assert sum(map(len, MOMENTS.values())) == 20
IMPORTS = 5.0
"""Seconds that a new interpreter takes for torch and trl, roughly."""
FIELDS = ("loss", "learning_rate", "grad_norm", "reward", "kl")
"""Of a step's metrics: those that are computed, not timed."""


@dataclass(frozen=True)
class End:
    """What a run comes to."""

    weights: dict[str, str]
    """File → SHA-256."""
    metrics: list[tuple[Any, ...]]
    """Of each step."""
    batches: list[dict[str, Any]]
    samples: list[dict[str, Any]]


class Process:
    """A `temper` command that was started: one of its own, or a fork that has torch loaded."""

    def __init__(self, root: Path, arguments: tuple[str, ...], zygote: Any | None) -> None:
        self.zygote = zygote
        if zygote is not None:
            self.pid: int = zygote.command(root, *arguments)
            return
        command = [sys.executable, "-P", "-m", "tui", *arguments]
        with (root / "output.txt").open("ab") as output:
            self.own = subprocess.Popen(command, cwd=root, stdout=output, stderr=output)
        self.pid = self.own.pid

    def has_ended(self) -> bool:
        return psutil.Process(self.pid).status() == psutil.STATUS_ZOMBIE

    def wait(self) -> int:
        return int(self.zygote.wait(self.pid)) if self.zygote else self.own.wait(300)

    def until(self, found: Callable[[], bool]) -> None:
        """Return when something is there, or the process has ended."""
        while not found() and not self.has_ended():
            time.sleep(0.0002)


class Room:
    """A workspace in which `temper` is started as from a terminal."""

    def __init__(self, bench: Any, zygote: Any) -> None:
        self.root: Path = bench.root
        self.workspace = bench.workspace
        self.zygote = zygote
        self.seconds: dict[str, float] = {}
        """What the phases of a run that is left alone take."""

    def start(self, *arguments: str, anew: bool = False) -> Process:
        """Start a command in the background; `anew` in an interpreter of its own."""
        return Process(self.root, arguments, None if anew else self.zygote)

    def finish(self, *arguments: str) -> None:
        """Run a command to its end, which has to be a good one."""
        code = self.start(*arguments).wait()
        assert code == 0, (self.root / "output.txt").read_text(errors="replace")[-3000:]

    def runs(self) -> set[Path]:
        return set(self.workspace.runs.glob("2*"))

    def events(self, run: Path) -> list[dict[str, Any]]:
        return read_events(self.workspace.jobs / read_record(run)["job"] / "events.jsonl")[0]

    def end(self, run: Path) -> End:
        samples = run / "samples.parquet"
        return End(
            {path.name: hash_file(path) for path in (run / "model").glob("*.safetensors")},
            [
                tuple(event.get(name) for name in ("step", *FIELDS))
                for event in last_attempts(self.events(run))
            ],
            pq.read_table(run / "batches.parquet").to_pylist(),
            pq.read_table(samples).to_pylist() if samples.exists() else [],
        )

    def straight(self) -> End:
        """Train without a kill, noting what the phases take."""
        self.finish("train")
        (run,) = self.runs()
        job = read_job(self.workspace.jobs / read_record(run)["job"])
        created, events = read_record(run)["created"], self.events(run)
        started = next(one["time"] for one in events if one["kind"] == "start")
        steps = [one["time"] for one in events if one["kind"] == "metrics"]
        assert job.started is not None
        self.seconds = {
            "planning": created - job.started,
            "loading": started - created,
            "step": (steps[-1] - steps[0]) / len(steps),
        }
        return self.end(run)


def is_writing(checkpoints: Path, step: int) -> bool:
    """Return whether a checkpoint of a step, or a later one, is half written."""
    try:
        names = [entry.name for entry in os.scandir(checkpoints)]
    except FileNotFoundError:
        return False
    return any(one.startswith(".step-") and int(one[6:].split(".")[0]) >= step for one in names)


def wait_for(moment: str, room: Room, process: Process, random: Random) -> None:
    """Return at a random time within a phase of a run that was just started."""
    before = room.runs()
    if moment == "planning":
        process.until(lambda: len(list(room.workspace.jobs.glob("*/job.json"))) > len(before))
        time.sleep(random.uniform(0, room.seconds["planning"]))
        return
    process.until(lambda: bool(room.runs() - before))
    (run,) = room.runs() - before
    if moment == "loading":
        time.sleep(random.uniform(0, max(IMPORTS, room.seconds["loading"])))
    elif moment == "step":
        step = random.randint(1, STEPS - 1)
        process.until((run / "run.json").exists)
        process.until(lambda: any(one.get("step", 0) >= step for one in room.events(run)))
        time.sleep(random.uniform(0, room.seconds["step"]))
    elif moment == "checkpoint":
        step = 2 * random.randint(1, STEPS // 2)
        process.until(lambda: is_writing(run / "checkpoints", step))
        time.sleep(random.uniform(0, 0.01))
    else:
        process.until(lambda: any(one.name.startswith(".model.") for one in run.iterdir()))
        time.sleep(random.uniform(0, 0.01))


def killed(moment: str, room: Room, random: Random) -> Path | None:
    """Train and kill at a moment; return the run, or None if none had begun.

    Where it ended before it could be killed, it is tried again.
    """
    for _ in range(5):
        before = room.runs()
        process = room.start("train", anew=moment == "loading")
        wait_for(moment, room, process, random)
        os.kill(process.pid, signal.SIGKILL)
        if process.wait() == -signal.SIGKILL:
            return next(iter(room.runs() - before), None)
    raise AssertionError(f"it always ended before it could be killed while {moment}")


def left_behind(run: Path | None) -> str:
    """Return what a kill interrupted, as the files tell it."""
    if run is None or not (run / "run.json").exists():
        return "planning"
    if (run / "model").exists():
        return "published"
    if any(run.glob(".model.tmp-*")):
        return "publishing"
    if any(run.glob("checkpoints/.step-*.tmp-*")):
        return "checkpoint"
    return "step" if any(run.glob("checkpoints/step-*")) else "loading"


@pytest.fixture(params=RECIPES)
def room(request: pytest.FixtureRequest, bench: Any, zygote: Any) -> Iterator[tuple[str, Room]]:
    """A workspace with a recipe of each method and rows for it."""
    method = request.param
    if method == "dpo":
        bench.dataset("toy", [pair(number) for number in range(40)])
    elif method == "grpo":
        bench.dataset("toy", [ask(number) for number in range(24)])
    bench.recipe(RECIPES[method])
    yield method, Room(bench, zygote)


@pytest.mark.slow
def test_twenty_of_twenty_killed_runs_resume_to_the_same_end(room: tuple[str, Room]) -> None:
    """Seven of sft, seven of dpo, six of grpo: weights, each step and samples to the bit."""
    method, place = room
    random = Random(f"{os.environ.get('TEMPER_KILL_SEED', 0)}:{method}")
    wanted = place.straight()
    assert wanted.weights and len(wanted.metrics) == STEPS
    assert bool(wanted.samples) == (method == "grpo")
    found = []
    for moment in MOMENTS[method]:
        run = killed(moment, place, random)
        state = left_behind(run)
        found.append((moment, state))
        if state == "planning":  # nothing had begun: the same command begins anew
            before = place.runs()
            place.finish("train")
            (run,) = place.runs() - before
        assert run is not None
        job = read_job(place.workspace.jobs / read_record(run)["job"])
        if state != "planning":
            assert job.state == "lost"
            place.finish("resume", run.name)
        assert place.end(run) == wanted, found
        assert not [*run.glob(".*.tmp-*"), *run.glob("checkpoints/.*")]
        assert read_json(run / "run.json", kind="run record")["steps"] == STEPS
    print(json.dumps({method: found}))
    states = {state for _, state in found}
    assert states & {"loading", "step"} and states & {"checkpoint", "publishing"}
