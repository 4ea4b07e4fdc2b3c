"""One GPU for a job: chosen by what the driver says, locked for the machine, told with why.

trl refuses two visible GPUs in one process, and two jobs on one GPU fail late. So a job claims
one before torch loads: not locked by another of our jobs, no other process on it, the most free
memory first. Where all are taken, a job that can wait takes a ticket and gets the first that is
free when nobody before it wants it; a command that cannot wait is told whom to wait for.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar

from workspace import gpu_locks, gpus
from workspace.context import duration
from workspace.errors import WorkError
from workspace.gpu_locks import GpuLock, Owner
from workspace.gpus import Candidates, Gpu, find_candidates
from workspace.machine import is_own_or_ancestor
from workspace.tickets import QueueHeldUp, Ticket, Waiting, live_tickets, queue_lock

_Found = TypeVar("_Found")
_NEXT_SECONDS = 0.2
_LONGEST_SECONDS = 5.0
"""How often to look: the next in order, and those far behind, so that fifty cost little."""


@dataclass(frozen=True)
class Claim:
    """The device a job works on, and why that one."""

    device: str
    """`cpu` or `cuda`."""
    reason: str
    gpu: Gpu | None = None


@dataclass(frozen=True)
class Place:
    """Where in the queue a job is, and whom it waits for."""

    number: int
    """1 is next; counted among those who want the same GPUs."""
    of: int
    """0: the queue cannot be looked at, and `obstacles` says why."""
    obstacles: tuple[str, ...]
    """For each GPU it may take, who has it."""
    before: tuple[Owner, ...] = ()
    """Who is served before it."""

    def __str__(self) -> str:
        place = [f"place {self.number} of {self.of}"] if self.of else []
        ahead = [f"before it {owner}" for owner in self.before[-1:]]
        return "; ".join([*place, *self.obstacles, *ahead])


class Waiter(Protocol):
    """Who can wait for a GPU."""

    @property
    def owner(self) -> Owner:
        """Who it is, for the others."""

    def waits(self, place: Place) -> None:
        """Take note of the place; called when it changes."""

    def proceeds(self) -> None:
        """Take note that the waiting is over."""

    def check_stop(self) -> None:
        """Raise if the waiting is to end."""


@contextmanager
def claim(*, found: Sequence[Gpu] | None = None, waiter: Waiter | None = None) -> Iterator[Claim]:
    """Hold one free GPU, or the CPU where there is none, until the body ends.

    Must run before torch is imported: it sets `CUDA_VISIBLE_DEVICES` to the GPU's UUID. Where a
    person has set that variable, one GPU in it is an order: it is obeyed even when processes of
    others are on it. A GPU that this process or one it descends from holds already is shared.

    Args:
        found: the machine's GPUs; None asks the driver, anew each time one may be free.
        waiter: waits its turn where all are taken; None does not wait.

    Raises:
        WorkError: there are GPUs, all are taken, and there is no `waiter`.
        Stopped: the waiter was asked to stop.
    """

    def look() -> Candidates:
        return find_candidates(gpus.list_gpus() if found is None else found)

    candidates = look()
    if candidates.is_cpu:
        yield Claim("cpu", candidates.told or "no NVIDIA GPU was found")
        return
    if not candidates.gpus:
        yield Claim("cuda", candidates.told)
        return
    patience = _Patience(waiter)
    if candidates.is_order and patience.with_queue(partial(_is_ours, candidates.gpus[0])):
        patience.ends()
        told = f"{candidates.told}; this process has it already"
        yield Claim("cuda", told, candidates.gpus[0])
        return
    owner = waiter.owner if waiter else Owner.this_process()
    began = time.monotonic()
    taken = patience.with_queue(partial(_take, candidates, owner))
    if taken is None and waiter is not None:
        taken = _wait(look, candidates, waiter, patience)
    patience.ends()
    if taken is None and not candidates.is_order:
        raise _refusal(candidates)
    waited = time.monotonic() - began
    after = f"; after {duration(waited)} in the queue" if waited > 1 else ""
    if taken is None:
        yield Claim(
            "cuda", f"{candidates.told}, though {_on(candidates.gpus[0])}", *candidates.gpus
        )
        return
    gpu, lock = taken
    ordered = os.environ.get("CUDA_VISIBLE_DEVICES")
    try:
        if candidates.is_order:
            yield Claim("cuda", candidates.told + after, gpu)
        else:
            os.environ["CUDA_VISIBLE_DEVICES"] = gpu.uuid
            gigabytes = gpu.free_bytes / 1024**3
            reason = f"GPU {gpu.index} {gpu.name}: {gigabytes:.0f} GiB free"
            yield Claim("cuda", reason + after, gpu)
    finally:
        if ordered is None:
            os.environ.pop("CUDA_VISIBLE_DEVICES", None)
        else:
            os.environ["CUDA_VISIBLE_DEVICES"] = ordered
        gpu_locks.release(lock)


def likely(found: Sequence[Gpu] | None = None) -> Claim:
    """Return what a claim would get, taking nothing: the freest GPU, where all are taken too."""
    candidates = find_candidates(gpus.list_gpus() if found is None else found)
    if candidates.is_cpu:
        return Claim("cpu", candidates.told or "no NVIDIA GPU was found")
    if not candidates.gpus:
        return Claim("cuda", candidates.told)
    try:
        with queue_lock():
            best = min(candidates.gpus, key=lambda gpu: (_obstacle(gpu) is not None, _used(gpu)))
    except QueueHeldUp:  # nothing is taken: by what the driver says alone
        best = min(candidates.gpus, key=lambda gpu: (gpu.is_used_by_others, _used(gpu)))
    return Claim("cuda", str(best), best)


def _is_ours(gpu: Gpu) -> bool:
    with queue_lock():
        holder = gpu_locks.holder(gpu.uuid)
    return holder is not None and holder.owner.is_alive and is_own_or_ancestor(holder.owner.pid)


class _Patience:
    """Of one who can wait: also for somebody who holds up the queue, as a suspended process does.

    Tells each place once.
    """

    def __init__(self, waiter: Waiter | None) -> None:
        self._waiter, self._told = waiter, ""

    def with_queue(self, act: Callable[[], _Found]) -> _Found:
        """Return what `act` does with the queue, as soon as it can be had.

        Raises:
            QueueHeldUp: it is held up, and nobody waits.
        """
        while True:
            try:
                return act()
            except QueueHeldUp as held_up:
                if self._waiter is None:
                    raise
                self.tell(Place(0, 0, (f"{held_up.title}: {held_up.cause} {held_up.cure}",)))
                self._waiter.check_stop()

    def tell(self, place: Place) -> None:
        """Tell the place, if it is another."""
        if self._waiter is not None and str(place) != self._told:
            self._told = str(place)
            self._waiter.waits(place)

    def ends(self) -> None:
        """Tell that the waiting is over, if there was any."""
        if self._waiter is not None and self._told:
            self._waiter.proceeds()


def _wait(
    look: Callable[[], Candidates], candidates: Candidates, waiter: Waiter, patience: _Patience
) -> tuple[Gpu, GpuLock]:
    """Take a ticket and wait for its turn on one of the GPUs."""
    wanted = [gpu.uuid for gpu in candidates.gpus]
    waiting = patience.with_queue(partial(Waiting, waiter.owner, wanted))
    try:
        while True:
            waiter.check_stop()
            place, is_turn = patience.with_queue(partial(_standing, waiting, candidates))
            if is_turn:
                candidates = look()  # what the driver says now; outside the lock: it is slow
                take = partial(_take, candidates, waiter.owner, waiting)
                taken = patience.with_queue(take)
                if taken is not None:
                    return taken
                place, _ = patience.with_queue(partial(_standing, waiting, candidates))
            patience.tell(place)
            _rest(min(_LONGEST_SECONDS, _NEXT_SECONDS * max(1, place.number)), waiter)
    finally:
        waiting.give_up()


def _rest(seconds: float, waiter: Waiter) -> None:
    """Sleep, but not through a request to stop."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        waiter.check_stop()
        time.sleep(min(left, _NEXT_SECONDS))


def _standing(waiting: Waiting, candidates: Candidates) -> tuple[Place, bool]:
    """Return where a waiter is, and whether one of its GPUs is neither locked nor wanted before."""
    with queue_lock():
        before, after = waiting.split(live_tickets())
        rivals = [one for one in before if one.gpus & waiting.gpus]
        behind = [one for one in after if one.gpus & waiting.gpus]
        place = Place(
            len(rivals) + 1,
            len(rivals) + 1 + len(behind),
            _obstacles(candidates),
            tuple(one.owner for one in rivals),
        )
        is_turn = any(_is_open(gpu, before) for gpu in candidates.gpus)
    return place, is_turn


def _take(
    candidates: Candidates, owner: Owner, waiting: Waiting | None = None
) -> tuple[Gpu, GpuLock] | None:
    """Lock the freest GPU that nobody uses and nobody before us wants; None if there is none."""
    with queue_lock():
        tickets = live_tickets()
        before = waiting.split(tickets)[0] if waiting else tickets
        for gpu in sorted(candidates.gpus, key=_used):
            if gpu.is_used_by_others and not candidates.is_order:
                continue
            lock = gpu_locks.try_lock(gpu.uuid, owner) if _is_open(gpu, before) else None
            if lock is not None:
                return gpu, lock
    return None


def _is_open(gpu: Gpu, before: Sequence[Ticket]) -> bool:
    """Whether a GPU is not locked and nobody before us waits for it.

    A ticket of a suspended process bars nobody: it would for as long as nobody wakes it.
    """
    return gpu_locks.is_free(gpu.uuid) and all(
        one.is_suspended for one in before if gpu.uuid in one.gpus
    )


def _used(gpu: Gpu) -> int:
    return -gpu.free_bytes


def _obstacles(candidates: Candidates) -> tuple[str, ...]:
    return tuple(_on(gpu) for gpu in candidates.gpus if _obstacle(gpu))


def _on(gpu: Gpu) -> str:
    return f"{gpu} has {_obstacle(gpu)}"


def _obstacle(gpu: Gpu) -> str | None:
    """Return who has a GPU, or None if nobody has."""
    holder = gpu_locks.holder(gpu.uuid)
    if holder is not None:
        return str(holder)
    if gpu.is_used_by_others:
        return f"{gpu.processes} process{'es' if gpu.processes > 1 else ''} of others"
    return None


def _refusal(candidates: Candidates) -> WorkError:
    with queue_lock():
        taken = list(_obstacles(candidates))
        waiting = live_tickets()
    if waiting:
        taken.append(f"{len(waiting)} waiting before this")
    return WorkError(
        "every GPU is taken",
        cause=f"{'; '.join(taken)}.",
        cure="Wait, stop one with `temper stop`, or choose with CUDA_VISIBLE_DEVICES=…; "
        "`temper queue` shows who has them.",
    )
