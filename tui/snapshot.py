"""A workspace at one moment, as plain values for the screens."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tui.cached import Entry
from tui.datasets import DatasetRow
from tui.evaluations.rows import EvaluationRow
from tui.jobs import JobRow
from tui.progress import NO_METRICS, Metrics, Progress
from tui.recipes import RecipeNote
from tui.records import RunRecord, number
from tui.series import NO_POINTS, Series
from tui.verdicts import Verdict

if TYPE_CHECKING:
    from workspace.jobs import JobView

_STAMP = re.compile(r"^\d{8}-\d{6}-")
_NO_JOB = "Its job record is gone, so nobody knows how it ended."


def unstamped(identifier: str) -> str:
    """Return an id without its time: `triage-1a2b` is enough to name it in a command."""
    return _STAMP.sub("", identifier) or identifier


class RunRow(NamedTuple):
    """One run as a screen shows it. Texts are as found on disk: make them plain when drawing."""

    id: str
    path: Path
    state: str
    """queued, running, finished, stopped, failed, lost, or broken when it cannot be read."""
    reason: str = ""
    """Why it is broken, failed, stopped or lost."""
    name: str = ""
    attempt: int = 1
    started: float | None = None
    """When the last attempt began, in seconds since 1970."""
    metrics: Metrics = NO_METRICS
    losses: Series = NO_POINTS
    remaining_seconds: float | None = None
    verdict: Verdict | None = None
    last_event: str = ""
    method: str = ""
    adapter: str = ""
    base: str = ""
    dataset: str = ""
    recipe: str = ""
    job: Path | None = None

    @property
    def label(self) -> str:
        """The id without its time: short, and enough to name the run in a command."""
        return unstamped(self.id)

    @property
    def is_active(self) -> bool:
        """Whether it is running or waits for its turn."""
        return self.state in ("running", "queued")


class Disk(NamedTuple):
    """The disk that the workspace is on."""

    free_bytes: int
    total_bytes: int


class Snapshot(NamedTuple):
    """A workspace at one moment."""

    root: Path
    runs: tuple[RunRow, ...] = ()
    """Running ones first, then queued ones, then the newest first."""
    datasets: tuple[DatasetRow, ...] = ()
    """One for each name, the newest first."""
    jobs: tuple[JobRow, ...] = ()
    """Of every kind, those of runs too: running ones first, then queued ones, then the newest."""
    recipes: tuple[RecipeNote, ...] = ()
    """The default one first."""
    demo_place: str = "."
    """Where the demo would find nothing in its way, seen from the root."""
    disk: Disk | None = None
    dataset_count: int = 0
    eval_count: int = 0
    evaluations: tuple[EvaluationRow, ...] = ()
    """Those being made first, then the newest first."""
    evals: tuple[EvaluationRow, ...] = ()
    """Those of them that have ended."""
    other_jobs: tuple[str, ...] = ()
    """Kinds of the running jobs that are not runs."""
    pending: bool = False
    """Some event files are not read to their end yet."""
    trouble: str = ""
    """Why there is no newer snapshot, if something went wrong."""


def make_row(
    path: Path,
    entry: Entry[RunRecord],
    job: Entry[JobView] | None,
    verdict: Verdict | None,
    progress: Progress | None,
) -> RunRow:
    """Return the row of the run in `path`; whatever cannot be read makes it a broken one."""
    record = entry.value
    if record is None:
        return RunRow(id=path.name, path=path, state="broken", reason=entry.reason, name=path.name)
    if job is not None and job.value is None:
        return RunRow(id=path.name, path=path, state="broken", reason=job.reason, name=record.name)
    view = job.value if job is not None else None
    state = view.state if view is not None else _state_without_job(path)
    reason = (view.error or "") if view is not None else _NO_JOB
    return RunRow(
        id=path.name,
        path=path,
        state=state,
        reason=reason,
        name=record.name,
        attempt=view.attempt if view is not None else 1,
        started=number(view.started) if view is not None else None,
        metrics=_metrics(progress, record),
        losses=progress.losses if progress is not None else NO_POINTS,
        remaining_seconds=(
            progress.remaining_seconds if progress is not None and state == "running" else None
        ),
        verdict=verdict,
        last_event=progress.last_event if progress is not None else "",
        method=record.method,
        adapter=record.adapter,
        base=record.base,
        dataset=record.dataset,
        recipe=record.recipe,
        job=view.dir if view is not None else None,
    )


def _metrics(progress: Progress | None, record: RunRecord) -> Metrics:
    """Return the latest step; before the first event the record knows how many there will be."""
    metrics = progress.metrics if progress is not None else NO_METRICS
    return metrics if metrics.max_steps else metrics._replace(max_steps=record.steps)


def _state_without_job(path: Path) -> str:
    return "finished" if (path / "model").is_dir() else "lost"
