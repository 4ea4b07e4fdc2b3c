"""Real workspaces on disk: what a job, a run and an evaluation leave there; and the app on them."""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from tui.app import TemperApp
from tui.screens.live import LiveScreen
from workspace import machine
from workspace.events import EventLog
from workspace.files import write_json
from workspace.layout import Workspace


class Made:
    """Writes the files of a workspace."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.workspace = Workspace(root)

    def run(
        self,
        name: str,
        *,
        state: str = "finished",
        steps: int = 0,
        max_steps: int = 200,
        day: int = 1,
        **record: Any,
    ) -> Path:
        """Write a run with its job and the events of `steps` steps; return its directory."""
        run = self.workspace.runs / f"202611{day:02d}-120000-{name}-ab12"
        job = self.workspace.jobs / f"202611{day:02d}-115959-train-{name}"
        run.mkdir(parents=True)
        job.mkdir(parents=True)
        write_json(
            run / "run.json",
            {
                "schema_version": 1,
                "id": run.name,
                "name": name,
                "job": job.name,
                "recipe": str(self.root / "temper.yaml"),
                "method": "sft",
                "adapter": "lora",
                "base": {"path": "builtin", "digest": "0" * 64, "revision": None},
                "dataset": str(self.root / "datasets/triage/1a2b3c4d"),
                "steps": max_steps,
                **record,
            },
        )
        self.job(job, state=state, result=f"runs/{run.name}")
        self.train(run, range(1, steps + 1), max_steps=max_steps)
        return run

    def job(self, directory: Path, *, state: str, **fields: Any) -> None:
        """Write a job record; a running one is this very process."""
        record = {
            "schema_version": 1,
            "id": directory.name,
            "kind": "train",
            "argv": ["temper", "train"],
            "state": state,
            "attempt": 1,
            **machine.own_identity(),
            "started": time.time() - 60,
            "ended": None,
            "exit_code": None,
            "error": None,
            "result": None,
            **fields,
        }
        write_json(directory / "job.json", record)

    def job_of(self, run: Path) -> Path:
        """Return the job directory of a run made here."""
        record = json.loads((run / "run.json").read_text())
        return self.workspace.jobs / record["job"]

    def log_of(self, run: Path, attempt: int = 1) -> EventLog:
        """Return the event log of a run made here."""
        return EventLog(self.job_of(run) / "events.jsonl", attempt=attempt)

    def train(
        self, run: Path, steps: Iterable[int], *, max_steps: int = 200, attempt: int = 1
    ) -> None:
        """Append the metrics of some steps, half a second apart."""
        lines = [
            {
                "kind": "metrics",
                "time": 1_795_000_000 + step / 2,
                "attempt": attempt,
                "step": step,
                "max_steps": max_steps,
                "loss": loss_at(step),
                "learning_rate": 2e-3,
                "grad_norm": 1.25,
                "tokens_per_second": 3210.0,
            }
            for step in steps
        ]
        with (self.job_of(run) / "events.jsonl").open("a") as stream:
            stream.writelines(json.dumps(line) + "\n" for line in lines)

    def dataset(
        self, name: str, *, digest: str = "1a2b3c4d", kept: int = 2866, dropped: int = 539
    ) -> Path:
        """Write a dataset's ledger and point `current` at it; return the directory of its rows."""
        directory = self.workspace.datasets / name / digest
        directory.mkdir(parents=True)
        write_json(
            directory / "ledger.json",
            {
                "schema_version": 1,
                "digest": digest * 8,
                "type": "messages",
                "rows": {"in": kept + dropped, "kept": kept, "dropped": dropped, "made": 0},
                "splits": {
                    "train": {"rows": kept - 100, "tokens": kept * 67},
                    "validation": {"rows": 100, "tokens": 6700},
                },
            },
        )
        link = directory.parent / "current.new"
        link.symlink_to(digest)
        link.rename(directory.parent / "current")
        return directory

    def other_job(self, kind: str, *, state: str = "finished", day: int = 1, **fields: Any) -> Path:
        """Write a job that makes no run; return its directory."""
        directory = self.workspace.jobs / f"202611{day:02d}-110000-{kind}-ef56"
        directory.mkdir(parents=True)
        self.job(directory, state=state, kind=kind, argv=["temper", kind], **fields)
        return directory

    def recipe(self, file: str = "temper.yaml", name: str = "triage", **sections: str) -> Path:
        """Write a recipe with the sections `curate` and `train`, or those given."""
        keys = sections or {"curate": "{}", "train": "{}"}
        lines = [f"name: {name}   # by hand", *(f"{key}: {value}" for key, value in keys.items())]
        path = self.root / file
        path.write_text("\n".join(lines) + "\n")
        return path

    def evaluation(self, run: Path, status: str, *, day: int = 9) -> Path:
        """Write an evaluation of `run` against its base; return its directory."""
        directory = self.workspace.evals / f"202611{day:02d}-130000-eval-cd34"
        directory.mkdir(parents=True)
        write_json(
            directory / "results.json",
            {
                "schema_version": 1,
                "id": directory.name,
                "models": [
                    {"name": "base", "role": "base", "path": "builtin"},
                    {"name": "tuned", "role": "tuned", "path": str(run / "model")},
                ],
                "comparisons": [
                    {
                        "base": "base",
                        "tuned": "tuned",
                        "verdict": {
                            "status": status,
                            "headline": f"It is a {status}.",
                            "abilities": ABILITIES,
                        },
                    }
                ],
            },
        )
        return directory


def loss_at(step: int) -> float:
    """Return a falling loss with some noise, the same at every call."""
    return 0.12 + 2.6 * math.exp(-step / 35) + 0.05 * math.sin(step * 1.7) * math.exp(-step / 120)


def _ability(name: str, purpose: str, verdict: str, base: float, tuned: float) -> dict[str, Any]:
    return {
        "name": name,
        "purpose": purpose,
        "verdict": verdict,
        "base": base,
        "tuned": tuned,
        "difference": round(tuned - base, 4),
        "negative_flips": round(500 * max(0.0, base - tuned)),
        "positive_flips": round(500 * max(0.0, tuned - base)),
        "low": round(tuned - base - 0.02, 4),
        "high": round(tuned - base + 0.02, 4),
    }


ABILITIES = [
    _ability("triage", "target", "pass", 0.0, 0.982),
    _ability("addition", "retention", "pass", 0.964, 0.958),
    _ability("copying", "retention", "fail", 0.951, 0.402),
    _ability("capitals", "retention", "inconclusive", 0.99, 0.95),
]


@pytest.fixture(autouse=True)
def state_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep what the app remembers of a person out of the home of who runs the tests."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture(autouse=True)
def universal_time(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Show the same times on every machine."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """Return an empty workspace to write into."""
    root = tmp_path / "project"
    root.mkdir()
    return Made(root)


@pytest.fixture(scope="session")
def curated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a small dataset that is really curated; not to be changed."""
    from tests.tui.data_rows import write_workspace

    root = tmp_path_factory.mktemp("tickets")
    write_workspace(root)
    return root


@pytest.fixture
def root(curated: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return shutil.copytree(curated, tmp_path / "desk", symlinks=True)


async def settle(pilot: Pilot[None]) -> None:
    """Wait until the app has looked at the disk once more and has shown what it found.

    Textual's own wait ends early where other processes have the processor.
    """
    app = pilot.app
    assert isinstance(app, TemperApp)
    wanted = app.poller.looks + 2
    while app.poller.looks < wanted or app.snapshot.pending or app.commands_running:
        app.poller.look_now()
        await pilot.pause(0.01)
    while not _is_told(app):
        await pilot.pause(0.01)
    await pilot.pause()


def _is_told(app: TemperApp) -> bool:
    """Return whether the newest look has reached the screen."""
    shown = next((one for one in reversed(app.screen_stack) if not one.is_modal), None)
    is_heard = not isinstance(shown, LiveScreen) or shown._heard is app.snapshot
    return app.poller._delivered is app.snapshot and is_heard


def screen_text(app: TemperApp) -> str:
    """Return what the terminal would show, without styles."""
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())


@pytest.fixture
def settled() -> Callable[[Pilot[None]], Any]:
    """Return `settle`."""
    return settle


@pytest.fixture
def text_of() -> Callable[[TemperApp], str]:
    """Return `screen_text`."""
    return screen_text
