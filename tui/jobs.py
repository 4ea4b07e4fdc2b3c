"""The jobs of a workspace, of every kind, as a screen shows them."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tui.cached import Entry
from tui.records import number, words

if TYPE_CHECKING:
    from workspace.jobs import JobView

ACTIVE = ("running", "queued")
_RANK = {"running": 2, "queued": 1}
_GOES_ON = ("stopped", "failed", "lost")


class JobRow(NamedTuple):
    """One long command. Texts are as found on disk: make them plain when drawing."""

    id: str
    path: Path
    state: str
    """queued, running, finished, stopped, failed, lost, or broken when it cannot be read."""
    kind: str = ""
    reason: str = ""
    """Why it failed, stopped, is lost or broken; whom it waits for."""
    command: str = ""
    """As it was typed."""
    started: float | None = None
    """When the last attempt began, in seconds since 1970."""
    ended: float | None = None
    attempt: int = 1
    result: str = ""
    """What it makes, relative to the workspace."""
    pid: int | None = None

    @property
    def is_active(self) -> bool:
        """Whether it runs or waits for its turn."""
        return self.state in ACTIVE

    @property
    def resumes(self) -> str:
        """The id of the run that `temper resume` would go on with; empty where none would."""
        parts = Path(self.result).parts
        is_run = len(parts) == 2 and parts[0] == "runs"
        return parts[1] if is_run and self.kind == "train" and self.state in _GOES_ON else ""


def make_job(directory: str, entry: Entry[JobView]) -> JobRow:
    """Return the row of one job; whatever cannot be read makes it a broken one."""
    path, view = Path(directory), entry.value
    if view is None:
        return JobRow(path.name, path, "broken", reason=entry.reason)
    return JobRow(
        id=path.name,
        path=path,
        state=view.state,
        kind=view.kind,
        reason=words(view.error) or words(view.waiting),
        command=shlex.join(view.argv),
        started=number(view.started),
        ended=number(view.ended),
        attempt=view.attempt,
        result=words(view.result),
        pid=view.pid if isinstance(view.pid, int) else None,
    )


def ordered(jobs: Iterable[JobRow]) -> tuple[JobRow, ...]:
    """Return the running ones first, then those that wait, then the newest."""
    found = sorted(jobs, key=lambda job: job.id, reverse=True)
    return tuple(sorted(found, key=lambda job: -_RANK.get(job.state, 0)))


def newest_by_dataset(jobs: Iterable[JobRow]) -> dict[str, JobRow]:
    """Return the newest job that made rows below each name of a dataset."""
    newest: dict[str, JobRow] = {}
    for job in sorted(jobs, key=lambda job: job.id):
        parts = Path(job.result).parts
        if len(parts) >= 2 and parts[0] == "datasets":
            newest[parts[1]] = job
    return newest
