"""The order in which jobs get GPUs: tickets in a directory, without a process that minds them.

A ticket is a file that its waiter keeps locked as long as it waits; its number is the order. It is
a job's turn on a GPU when no lower ticket wants that GPU. A ticket whose lock is free belongs to
nobody any more and is swept away. Tickets are made, moved and removed only under one short lock,
for to remove a file that somebody is about to lock would let two through.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from workspace.errors import UsageError, WorkError
from workspace.gpu_locks import (
    Owner,
    keepers,
    lock_directory,
    open_shared,
    read_document,
    read_owner,
    try_flock,
    write_document,
)
from workspace.machine import is_suspended

_FIRST = 100_000_000
"""Leaves as many places before it for tickets that are put first."""
_ENDING = ".ticket"
_PATIENCE_SECONDS = 10.0


@dataclass(frozen=True)
class Ticket:
    """A place in the queue, as everybody sees it."""

    path: Path
    owner: Owner
    gpus: frozenset[str]
    """UUIDs of the GPUs of which one is waited for."""

    @property
    def number(self) -> int:
        """The order: the lowest is the first."""
        return int(self.path.stem)

    @property
    def is_suspended(self) -> bool:
        """Whether its process is stopped (Ctrl-Z): it keeps its place but lets others pass."""
        return is_suspended(self.owner.pid)


class QueueHeldUp(WorkError):
    """Somebody has been changing the queue for longer than that can take."""


@contextmanager
def queue_lock() -> Iterator[None]:
    """Hold the lock under which the queue changes, for an instant; Ctrl-Z waits for its end.

    Raises:
        QueueHeldUp: somebody holds it for ten seconds, as a suspended process might.
    """
    path = lock_directory() / "queue.lock"
    with open_shared(path) as stream:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTSTP})
            try:
                if try_flock(stream):
                    yield
                    return
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
            if time.monotonic() > deadline:
                raise _held_up(path)
            time.sleep(0.002)


def _held_up(path: Path) -> QueueHeldUp:
    found = ", ".join(keepers(path)) or "a process of another user"
    return QueueHeldUp(
        "the queue for GPUs is held up",
        where=str(path),
        cause=f"For {_PATIENCE_SECONDS:.0f} s it was held by one of: {found}.",
        cure="If one of them is suspended, let it go on: kill -CONT PID",
    )


def live_tickets() -> list[Ticket]:
    """Return the tickets in order; those of the dead are removed. Under `queue_lock` only."""
    found = []
    directory = lock_directory()
    for name in sorted(entry.name for entry in os.scandir(directory)):  # equally many digits
        if not name.endswith(_ENDING) or not name.removesuffix(_ENDING).isdecimal():
            continue
        path = directory / name
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            continue
        with os.fdopen(descriptor, "rb", buffering=0) as stream:
            if try_flock(stream):
                with contextlib.suppress(PermissionError):  # another user's: passed over
                    path.unlink(missing_ok=True)
                continue
            document = read_document(stream)
        gpus = document.get("gpus")
        wanted = frozenset(map(str, gpus)) if isinstance(gpus, list) else frozenset()
        found.append(Ticket(path, read_owner(document), wanted))
    return found


class Waiting:
    """This process's own ticket, kept locked until it is given up."""

    def __init__(self, owner: Owner, gpus: Sequence[str]) -> None:
        """Take the next number for one of `gpus` (UUIDs).

        Raises:
            WorkError: the queue cannot be changed.
        """
        self.gpus = frozenset(gpus)
        with queue_lock():
            taken = [ticket.number for ticket in live_tickets()]
            self._stream = _issue(max(taken, default=_FIRST - 1) + 1)
            write_document(self._stream, {**asdict(owner), "gpus": sorted(gpus)})

    def split(self, tickets: Sequence[Ticket]) -> tuple[list[Ticket], list[Ticket]]:
        """Return the tickets before this one and those after it; it may have been moved."""
        own = os.fstat(self._stream.fileno())
        numbers = [one.number for one in tickets if _is_file(one.path, own)]
        mine = numbers[0] if numbers else 0
        before = [one for one in tickets if one.number < mine]
        return before, [one for one in tickets if one.number > mine]

    def give_up(self) -> None:
        """Leave the queue."""
        own = os.fstat(self._stream.fileno())
        for path in lock_directory().glob(f"*{_ENDING}"):
            if _is_file(path, own):
                path.unlink(missing_ok=True)
        self._stream.close()


def _issue(number: int) -> IO[bytes]:
    """Make a locked ticket; a dead one of another user, which cannot be removed, is passed over."""
    while True:
        path = lock_directory() / f"{number:012d}{_ENDING}"
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        except FileExistsError:
            number += 1
            continue
        os.fchmod(descriptor, 0o644)  # past the umask: all users see whom they wait for
        stream = os.fdopen(descriptor, "r+b", buffering=0)
        try_flock(stream)
        return stream


def _is_file(path: Path, known: os.stat_result) -> bool:
    try:
        return os.path.samestat(path.stat(), known)
    except OSError:
        return False


def _user_of(path: Path) -> int | None:
    try:
        return path.stat().st_uid
    except FileNotFoundError:  # it left the queue this instant
        return None


def put_first(job: str) -> Ticket:
    """Let a waiting job go before all others, as long as those are the same user's.

    Args:
        job: a waiting job's id.

    Raises:
        UsageError: no such job waits, or it would pass a job of another user.
    """
    with queue_lock():
        tickets = live_tickets()
        found = next((one for one in tickets if one.owner.job == job), None)
        if found is None:
            raise UsageError(
                f"no job called {job} waits for a GPU",
                cause="Waiting: " + (", ".join(one.owner.job for one in tickets) or "none") + ".",
                cure="See `temper queue`.",
            )
        for one in tickets[: tickets.index(found) + 1]:
            if _user_of(one.path) not in (os.geteuid(), None):
                raise UsageError(
                    "a job may pass only jobs of its own user",
                    cause=f"Before it waits {one.owner}.",
                    cure="Ask them, or wait; `temper queue` shows the order.",
                )
        if found is tickets[0]:
            return found
        # Past files of the dead that only their owner may remove as well.
        names = [
            int(path.stem) for path in lock_directory().glob(f"*{_ENDING}") if path.stem.isdecimal()
        ]
        first = found.path.with_name(f"{min(names) - 1:012d}{_ENDING}")
        with contextlib.suppress(FileNotFoundError):  # it left the queue this instant
            found.path.rename(first)
        return Ticket(first, found.owner, found.gpus)
