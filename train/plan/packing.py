"""Several rows in one sequence, so that less of what is computed is padding.

Rows are packed within their step, whole and never cut: a step learns from the same rows as
without packing, in the same share of replay, and only their neighbours in the tensor change. What
is minimised therefore stays what it was. (trl packs before it batches: a batch then has as many
rows as happen to fit, and `bfd` cuts what is longer than a sequence.)
"""

from __future__ import annotations

import heapq
from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from train.plan.schedule import Schedule
from train.rows import JoinedRows

Lengths = NDArray[np.int64]


def best_fit_decreasing(lengths: Sequence[int], capacity: int) -> list[list[int]]:
    """Return bins of places in `lengths`: each, longest first, in the fullest bin that has room.

    It takes at most 11/9 of the fewest bins possible, and some (Johnson et al. 1974).

    Args:
        lengths: none above `capacity`.
        capacity: tokens of a bin.

    >>> best_fit_decreasing([6, 5, 4, 3, 2], capacity=10)
    [[0, 2], [1, 3, 4]]
    """
    bins: list[list[int]] = []
    free: list[tuple[int, int]] = []  # (tokens left, bin), least first
    for place in sorted(range(len(lengths)), key=lambda one: (-lengths[one], one)):
        length = lengths[place]
        found = bisect_left(free, (length, -1))
        if found == len(free):
            bins.append([place])
            insort(free, (capacity - length, len(bins) - 1))
        else:
            left, number = free.pop(found)
            bins[number].append(place)
            insort(free, (left - length, number))
    return bins


def fill_evenly(lengths: Sequence[int], count: int, capacity: int) -> list[list[int]]:
    """Return `count` bins, none empty, about equally full and none beyond `capacity`.

    Equally full sequences need the least padding beside each other, and every step can have as
    many as the trainer's fixed accumulation asks for. Each row, longest first, goes to the
    emptiest bin (Graham 1969); where that overfills one, best-fit-decreasing's bins are split.

    Args:
        lengths: at least `count`, none above `capacity`.
        count: at least as many as best-fit-decreasing needs.
        capacity: tokens of a bin.
    """
    bins: list[list[int]] = [[] for _ in range(count)]
    heap = [(0, number) for number in range(count)]
    for place in sorted(range(len(lengths)), key=lambda one: (-lengths[one], one)):
        load, number = heapq.heappop(heap)
        bins[number].append(place)
        heapq.heappush(heap, (load + lengths[place], number))
    if max(load for load, _ in heap) > capacity or not all(bins):
        bins = best_fit_decreasing(lengths, capacity)
        while len(bins) < count:
            fullest = max((one for one in bins if len(one) > 1), key=len)
            half = len(fullest) // 2
            bins.append(fullest[half:])
            del fullest[half:]
    return sorted(bins, key=lambda one: (-sum(lengths[place] for place in one), one))


def sequences_needed(schedule: Schedule, lengths: Lengths, capacity: int) -> int:
    """Return how many sequences the fullest step needs."""
    return max(
        len(best_fit_decreasing(lengths[schedule.batch(step)].tolist(), capacity))
        for step in range(schedule.steps)
    )


def at_once(needed: int, batch_size: int, wanted: int) -> int:
    """Return the sequences of a micro-batch: at most `wanted`, and such that whole micro-batches
    hold the `needed` ones without more sequences than there are rows.

    >>> at_once(7, 32, 4), at_once(5, 5, 3)
    (4, 1)
    """
    for size in range(min(wanted, needed), 1, -1):
        steps = -(-needed // size)
        even = -(-needed // steps)
        if even * steps <= batch_size:
            return even
    return 1


def pack(
    schedule: Schedule, lengths: Lengths, *, capacity: int, needed: int, size: int
) -> Schedule:
    """Return the schedule with the rows of each step packed into sequences.

    Every step but a last smaller one has equally many: `needed`, rounded up to whole micro-batches.

    Args:
        schedule: of single rows.
        lengths: tokens of each row.
        capacity: tokens of a sequence.
        needed: as `sequences_needed` says.
        size: sequences at once.
    """
    order: list[NDArray[np.int64]] = []
    ends = [0]
    whole = int(np.diff(schedule.offsets).max())
    most = min(-(-needed // size) * size, whole)  # the only step may be a small one
    for step in range(schedule.steps):
        rows = schedule.batch(step)
        own = lengths[rows].tolist()
        is_whole = len(rows) == whole
        count = most if is_whole else len(best_fit_decreasing(own, capacity))
        for one in fill_evenly(own, count, capacity):
            order.append(rows[one])
            ends.append(ends[-1] + len(one))
    packs = np.array(ends, dtype=np.int64)
    return replace(schedule, order=np.concatenate(order), packs=packs, micro_batch_size=size)


def padding(
    schedule: Schedule, lengths: Lengths, *, flat: bool, at_once: Lengths | None = None
) -> Lengths:
    """Return the padding that each place of `schedule.order` costs, in tokens; sums are exact.

    The padding of a sequence is that of its rows in proportion to their tokens, in whole tokens.

    Args:
        schedule: packed or not.
        lengths: tokens that each row costs.
        flat: whether the sequences of a micro-batch lie one after the other, without padding.
        at_once: sequences of a micro-batch in each step; None: those of the schedule in all.
    """
    out = np.zeros(len(schedule.order), dtype=np.int64)
    if flat:
        return out
    own = lengths[schedule.order]
    starts = schedule.sequence_offsets[:-1]
    widths = np.add.reduceat(own, starts)
    sizes = [schedule.micro_batch_size] * schedule.steps if at_once is None else at_once.tolist()
    for size, (first, last) in zip(sizes, pairwise(schedule.step_sequences.tolist()), strict=True):
        for begin in range(first, last, size):
            micro = slice(begin, min(begin + size, last))
            widths[micro] = widths[micro].max() - widths[micro]
    rows = np.diff(schedule.sequence_offsets)
    totals = np.add.reduceat(own, starts)
    upto = np.cumsum(own) - np.repeat(np.cumsum(totals) - totals, rows)
    share = np.repeat(widths, rows) * upto // np.repeat(totals, rows)
    out[:] = np.diff(share, prepend=0)
    out[starts] = share[starts]
    return out


@dataclass(frozen=True)
class PackingAccount:
    """What packing saved over all steps, by role and source."""

    capacity: int
    """Tokens of a sequence at most."""
    sequences: int
    longest: int
    """Tokens of the fullest sequence."""
    sources: dict[tuple[str, str], dict[str, int]]
    """rows, tokens, padding, padding_unpacked, padding_saved."""

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        names = ("rows", "tokens", "padding", "padding_unpacked", "padding_saved")
        total = {name: sum(one[name] for one in self.sources.values()) for name in names}
        return {
            "capacity": self.capacity,
            "sequences": self.sequences,
            "longest": self.longest,
            "total": total,
            "sources": [
                {"role": role, "source": source, **one}
                for (role, source), one in sorted(self.sources.items())
            ],
        }


def account(
    packed: Schedule, plain: Schedule, rows: JoinedRows, *, capacity: int, flat: bool
) -> PackingAccount:
    """Return what packing saves.

    Args:
        packed: the schedule in effect.
        plain: the same rows in the same steps, unpacked, as they would be padded.
        rows: that both point at.
        capacity: tokens of a sequence at most.
        flat: whether the packed sequences need no padding beside each other.
    """
    counted = {
        "rows": (packed, np.ones(len(packed.order), dtype=np.int64)),
        "tokens": (packed, rows.tokens[packed.order]),
        "padding": (packed, padding(packed, rows.padded, flat=flat)),
        "padding_unpacked": (plain, padding(plain, rows.padded, flat=False)),
    }
    sums = {name: _by_source(rows, *one) for name, one in counted.items()}
    sources = {source: {name: own[source] for name, own in sums.items()} for source in sums["rows"]}
    filled = np.add.reduceat(rows.tokens[packed.order], packed.sequence_offsets[:-1])
    return PackingAccount(capacity, len(filled), int(filled.max()), _saved(sources))


def with_padding(
    found: PackingAccount, schedule: Schedule, rows: JoinedRows, *, flat: bool, at_once: Lengths
) -> PackingAccount:
    """Return an account with the padding of steps that had another number of sequences at once.

    What the rows would have cost unpacked stays as it was planned.

    Args:
        found: the account of the plan.
        schedule: packed.
        rows: that it points at.
        flat: whether the packed sequences need no padding beside each other.
        at_once: sequences of a micro-batch in each step.
    """
    costs = padding(schedule, rows.padded, flat=flat, at_once=at_once)
    paid = _by_source(rows, schedule, costs)
    sources = {source: {**own, "padding": paid[source]} for source, own in found.sources.items()}
    return replace(found, sources=_saved(sources))


def _by_source(rows: JoinedRows, schedule: Schedule, values: Lengths) -> dict[tuple[str, str], int]:
    """Return the sums of what each place of a schedule has."""
    names = {int(one): _source(rows, int(one)) for one in np.unique(schedule.order)}
    out: dict[tuple[str, str], int] = {}
    for row, value in zip(schedule.order.tolist(), values.tolist(), strict=True):
        out[names[row]] = out.get(names[row], 0) + value
    return out


def _saved(sources: dict[tuple[str, str], dict[str, int]]) -> dict[tuple[str, str], dict[str, int]]:
    return {
        source: {**own, "padding_saved": own["padding_unpacked"] - own["padding"]}
        for source, own in sources.items()
    }


def _source(rows: JoinedRows, index: int) -> tuple[str, str]:
    return ("replay" if rows.replayed[index] else "train", rows.row_id(index)[1])
