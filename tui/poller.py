"""Looks at the workspace once a second from a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol

from tui.reader import Reader
from tui.snapshot import Snapshot
from tui.tail import Tail

_BYTES_PER_LOOK = 2 << 20
PERIOD_SECONDS = 1.0
CALM_SECONDS = 2.0
"""On a line that carries little."""
_PAINT_SECONDS = 0.2
"""After the first look: what it found is painted before more is read."""
_LOG_BYTES = 64 << 10
"""How much of a log is read at first, and at most at each look."""


class Update(NamedTuple):
    """What one look found."""

    snapshot: Snapshot
    log: Path | None = None
    """The log that is followed."""
    log_lines: tuple[str, ...] = ()
    """Its new lines, as they are on disk."""


class Followed(Protocol):
    """What a screen wants read beside the workspace: the whole curves of a run, say."""

    version: int
    """Grows with everything new."""
    pending: bool
    """There is more to read at once."""

    def read(self, budget: int) -> int:
        """Read what is new, at most `budget` bytes; return how many bytes were read."""
        ...


class Poller(threading.Thread):
    """Delivers an `Update` whenever a look found something new.

    A daemon, and not one of Textual's workers, which the interpreter waits for at exit: a disk
    that does not answer must not hold `q`.
    """

    def __init__(self, reader: Reader, deliver: Callable[[Update], object]) -> None:
        super().__init__(name="workspace-poller", daemon=True)
        self._reader = reader
        self._deliver = deliver
        self._wake = threading.Event()
        self._stopping = False
        self.period_seconds = PERIOD_SECONDS
        self._tail: Tail | None = None
        self._followed: tuple[Followed, ...] = ()
        self._delivered: Snapshot | None = None
        self._has_looked = threading.Event()
        self.looks = 0
        """How often it has looked."""

    def follow(self, log: Path | None) -> None:
        """Deliver the last lines of `log` and those to come; None follows none."""
        tail = Tail(log) if log is not None else None
        if tail is not None:
            tail.skip_to_last(_LOG_BYTES)
        self._tail = tail
        self.look_now()

    def read_too(self, followed: tuple[Followed, ...]) -> None:
        """Read these too at every look, and deliver an update when one has something new."""
        self._followed = followed
        self.look_now()

    def read_no_more(self, followed: tuple[Followed, ...]) -> None:
        """Leave these alone again; what else is read stays."""
        self._followed = tuple(one for one in self._followed if one not in followed)

    @property
    def follows(self) -> Path | None:
        """The log that is followed."""
        return self._tail.path if self._tail is not None else None

    def look_now(self) -> None:
        """Look without waiting for the second to be over."""
        self._wake.set()

    def wait_for_first_look(self, seconds: float) -> bool:
        """Wait until it has looked once, at most some time; return whether it has."""
        return self._has_looked.wait(seconds)

    def stop(self) -> None:
        """End the thread at its next turn, without waiting for it."""
        self._stopping = True
        self._wake.set()

    def run(self) -> None:
        """Look until stopped; at once again while old events are still being read."""
        while not self._stopping:
            self._wake.clear()
            update = self._look()
            followed = self._followed
            trouble = ""
            try:
                has_news = _read_all(followed)
            except Exception as error:  # a bug in reading must be seen, not end the thread
                has_news, trouble = True, f"what is shown cannot be read: {error!r}"
                update = update._replace(snapshot=update.snapshot._replace(trouble=trouble))
            self.looks += 1
            if update.snapshot is not self._delivered or update.log_lines or has_news:
                self._delivered = update.snapshot
                self._deliver(update)
            self._has_looked.set()
            is_pending = update.snapshot.pending or any(one.pending for one in followed)
            if trouble or not is_pending:
                self._wake.wait(self.period_seconds)
            elif self.looks == 1:
                self._wake.wait(_PAINT_SECONDS)

    def _look(self) -> Update:
        tail = self._tail
        try:
            snapshot = self._reader.poll()
        except Exception as error:  # a bug in reading must be seen, not end the thread
            known = self._delivered or Snapshot(self._reader.root)
            trouble = f"the workspace cannot be read: {error!r}"
            snapshot = known if known.trouble == trouble else known._replace(trouble=trouble)
        if tail is None:
            return Update(snapshot)
        lines = tail.read(_LOG_BYTES).lines
        return Update(snapshot, tail.path, tuple(line.decode("utf-8", "replace") for line in lines))


def _read_all(followed: tuple[Followed, ...]) -> bool:
    """Read what is followed; return whether anything was new."""
    before = [one.version for one in followed]
    budget = _BYTES_PER_LOOK
    for one in followed:
        if budget > 0:
            budget -= one.read(budget)
    return before != [one.version for one in followed]
