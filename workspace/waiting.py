"""A job that waits for a GPU: queued in its record, telling its place, stoppable."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from workspace.claims import Place
from workspace.gpu_locks import Owner
from workspace.jobs import Job


@dataclass
class JobWaiter:
    """Lets a running job wait for a GPU (see `workspace.claims.Waiter`)."""

    job: Job
    tell: Callable[[str], None]
    """Is told the place in the queue whenever it changes."""
    cure: str = "It was waiting for a GPU: the same command begins anew."
    """What to do after a stop while waiting."""
    _since: float | None = field(default=None, init=False)

    @property
    def owner(self) -> Owner:
        """Who waits, for `temper queue` and those behind it."""
        root = self.job.dir.parent.parent
        kind = str(self.job.record["kind"])
        return Owner.this_process(job=self.job.id, kind=kind, workspace=str(root))

    def waits(self, place: Place) -> None:
        """Record and tell the place."""
        if self._since is None:
            self._since = time.monotonic()
            self.job.events.append("queued", place=place.number, of=place.of, why=str(place))
        self.job.update(state="queued", waiting=str(place))
        self.tell(f"waiting for a GPU: {place}")

    def proceeds(self) -> None:
        """Record that the job works again."""
        if self._since is not None:
            seconds = round(time.monotonic() - self._since, 3)
            self.job.events.append("claimed", waited_seconds=seconds)
            self.job.update(state="running", waiting=None)

    def check_stop(self) -> None:
        """Raise `Stopped` if a signal asked for it."""
        self.job.check_stop(cure=self.cure)
