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
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from workspace.errors import UsageError, WorkError
from workspace.gpu_locks import (
    Owner,
    Shelter,
    keepers,
    lock_directory,
    open_shared,
    open_to_look,
    read_document,
    read_owner,
    try_flock,
    write_document,
)
from workspace.machine import is_suspended
from workspace.text import plain

_FIRST = 100_000_000
"""Leaves as many places before it for tickets that are put first."""
_ENDING = ".ticket"
_PATIENCE_SECONDS = 10.0
_LONGEST_UUID = 100


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
def queue_lock(patience_seconds: float | None = None) -> Iterator[None]:
    """Hold the lock under which the queue changes, for an instant; Ctrl-Z waits for its end.

    Args:
        patience_seconds: how long to wait for it; ten seconds if not given.

    Raises:
        QueueHeldUp: somebody holds it for so long, as a suspended process might.
    """
    path = lock_directory() / "queue.lock"
    patience = _PATIENCE_SECONDS if patience_seconds is None else patience_seconds
    deadline = time.monotonic() + patience
    while True:
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTSTP})
        try:
            with closing(Shelter()) as shelter, _open_queue(path) as stream:
                if shelter.is_safe and try_flock(stream):
                    yield
                    return
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        if time.monotonic() > deadline:
            raise _held_up(path if shelter.is_safe else path.parent, patience)
        time.sleep(0.002)


def _open_queue(path: Path) -> IO[bytes]:
    """Open the queue's lock; nothing is written in it, so that to read it is enough."""
    return open_to_look(path) or open_shared(path)


def _held_up(path: Path, patience: float) -> QueueHeldUp:
    found = ", ".join(keepers(path)) or "a process of another user"
    return QueueHeldUp(
        "the queue for GPUs is held up",
        where=str(path),
        cause=f"For {patience:g} s it was held by one of: {found}.",
        cure="If one of them is suspended, let it go on: kill -CONT PID",
    )


def live_tickets() -> list[Ticket]:
    """Return the tickets in order; those of the dead are removed. Under `queue_lock` only."""
    found = []
    for path in sorted(_paths(), key=_number):
        stream = open_to_look(path)
        if stream is None:  # no ticket, whatever it is called, or one that left this instant
            continue
        with stream:
            if try_flock(stream):
                with contextlib.suppress(OSError):  # another user's: passed over
                    path.unlink(missing_ok=True)
                continue
            document = read_document(stream)
        gpus = document.get("gpus")
        listed = gpus if isinstance(gpus, list) else []
        wanted = frozenset(plain(one, _LONGEST_UUID) for one in listed if isinstance(one, str))
        found.append(Ticket(path, read_owner(document), wanted))
    return found


def _paths() -> list[Path]:
    """Return what is called as tickets are."""
    return [path for path in lock_directory().glob(f"*{_ENDING}") if path.stem.isdecimal()]


def _number(path: Path) -> int:
    return int(path.stem)


class Waiting:
    """This process's own ticket, kept locked until it is given up."""

    def __init__(self, owner: Owner, gpus: Sequence[str]) -> None:
        """Take the next number for one of `gpus` (UUIDs).

        Raises:
            WorkError: the queue cannot be changed.
        """
        self.owner, self.gpus = owner, frozenset(gpus)
        with queue_lock():
            self._shelter = Shelter()  # under the lock, which has made sure that it is safe
            self._stream = self._taken(live_tickets())

    def _taken(self, tickets: Sequence[Ticket]) -> IO[bytes]:
        """Take the number after all others."""
        stream = _issue(max((one.number for one in tickets), default=_FIRST - 1) + 1)
        write_document(stream, {**asdict(self.owner), "gpus": sorted(self.gpus)})
        return stream

    def split(self, tickets: Sequence[Ticket]) -> tuple[list[Ticket], list[Ticket]]:
        """Return the tickets before this one and those after it; it may have been moved.

        Where somebody has removed it, it is taken anew, behind all others. Under `queue_lock` only.
        """
        own = os.fstat(self._stream.fileno())
        mine = next((one.number for one in tickets if _is_file(one.path, own)), None)
        if mine is None:
            self._stream.close()
            self._stream = self._taken(tickets)
            return list(tickets), []
        before = [one for one in tickets if one.number < mine]
        return before, [one for one in tickets if one.number > mine]

    def give_up(self) -> None:
        """Leave the queue."""
        own = os.fstat(self._stream.fileno())
        try:
            # Held up: closed it belongs to nobody, and the next who looks sweeps it away.
            with contextlib.suppress(QueueHeldUp), queue_lock():
                for path in _paths():
                    if _is_file(path, own):
                        path.unlink(missing_ok=True)
        finally:
            self._stream.close()
            self._shelter.close()


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


def _free_before(ticket: Ticket) -> Path:
    """Return the nearest free place before a ticket, past files that only others may remove."""
    known = set(map(_number, _paths()))
    for number in range(ticket.number - 1, -1, -1):
        if number not in known:
            return ticket.path.with_name(f"{number:012d}{_ENDING}")
    raise UsageError(
        "there is no place before the first",
        where=str(ticket.path),
        cause=f"Before it waits {ticket.owner}, and no number is free below its own.",
        cure="Wait for it, or ask its user; `temper queue` shows the order.",
    )


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
        first = _free_before(tickets[0])
        with contextlib.suppress(FileNotFoundError):  # it left the queue this instant
            found.path.rename(first)
        return Ticket(first, found.owner, found.gpus)
