"""Which rows are in which step: decided before the first one, so that it can be recorded,
proved and continued exactly.

The trainer reads this order from front to back. Rows of the dataset are shuffled anew for each
epoch; replay rows likewise, in a cycle of their own; each batch has its exact share of them.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Schedule:
    """The order of rows, step after step."""

    order: NDArray[np.int64]
    """Indices into the plan's rows, shape (rows seen,)."""
    offsets: NDArray[np.int64]
    """Step s (from 0) has `order[offsets[s]:offsets[s + 1]]`; shape (steps + 1,)."""
    micro_batch_size: int
    """Sequences on the device at once; a sequence is a row where rows are not packed."""
    packs: NDArray[np.int64] | None = None
    """Sequence q is made of the rows `order[packs[q]:packs[q + 1]]`, and every step begins with a
    new one; shape (sequences + 1,). None: each row is a sequence of its own."""

    @property
    def steps(self) -> int:
        """Number of optimiser steps."""
        return len(self.offsets) - 1

    @cached_property
    def sequence_offsets(self) -> NDArray[np.int64]:
        """Where each sequence begins in `order`, and the end; shape (sequences + 1,)."""
        return np.arange(len(self.order) + 1) if self.packs is None else self.packs

    @cached_property
    def step_sequences(self) -> NDArray[np.int64]:
        """The first sequence of each step, and the number of all; shape (steps + 1,)."""
        return np.asarray(np.searchsorted(self.sequence_offsets, self.offsets))

    @property
    def most_sequences(self) -> int:
        """Sequences of a step; the last step may have fewer."""
        return int(np.diff(self.step_sequences).max())

    @property
    def accumulation(self) -> int:
        """Micro-batches of a step; the last step may have fewer."""
        return -(-self.most_sequences // self.micro_batch_size)

    def sequences(self, step: int) -> list[NDArray[np.int64]]:
        """Return the rows of each sequence of one step (from 0)."""
        first, last = self.step_sequences[step : step + 2]
        bounds = self.sequence_offsets[first : last + 1].tolist()
        return [self.order[begin:end] for begin, end in pairwise(bounds)]

    def batch(self, step: int) -> NDArray[np.int64]:
        """Return the rows of one step (from 0)."""
        return self.order[self.offsets[step] : self.offsets[step + 1]]

    def micro_batches(self, step: int) -> Iterator[NDArray[np.int64]]:
        """Yield the rows of each micro-batch of one step (from 0)."""
        first, last = self.step_sequences[step : step + 2].tolist()
        for start in range(first, last, self.micro_batch_size):
            stop = min(start + self.micro_batch_size, last)
            yield self.order[self.sequence_offsets[start] : self.sequence_offsets[stop]]


def make_schedule(
    *,
    train_rows: int,
    replay_rows: int,
    replay_share: float,
    lengths: NDArray[np.int64],
    batch_size: int,
    micro_batch_size: int,
    steps: int | None,
    epochs: float | None,
    seed: int,
) -> Schedule:
    """Decide the order of rows.

    Args:
        train_rows: rows of the dataset, numbered from 0.
        replay_rows: rows to replay, numbered after those.
        replay_share: part of every batch that is replayed.
        lengths: tokens that each row costs; longest first within a batch, which leaves the least
            padding in each micro-batch and shows at once whether the longest fits. The gradient of
            a step does not depend on it.
        batch_size: rows of a step.
        micro_batch_size: rows at once; divides `batch_size`.
        steps: optimiser steps, or None where `epochs` decides.
        epochs: passes over the dataset; its last step may be smaller than the others.
        seed: of every shuffle.
    """
    share = Fraction(Decimal(str(replay_share))) if replay_rows else Fraction(0)
    train = _cycle(train_rows, f"{seed}:train")
    replay = _cycle(replay_rows, f"{seed}:replay", first=train_rows)
    remaining = None if steps is not None else max(1, round((epochs or 1.0) * train_rows))
    costs: list[int] = np.asarray(lengths).tolist()
    order: list[int] = []
    offsets = [0]
    while steps is None or len(offsets) <= steps:
        replayed = _replayed(len(offsets) - 1, batch_size, share)
        wanted = batch_size - replayed
        if remaining is not None:
            if remaining == 0:
                break
            if remaining < wanted:  # the last step: fewer rows, in the same proportion
                replayed = round(remaining * share / (1 - share))
                wanted = remaining
            remaining -= wanted
        batch = [next(train) for _ in range(wanted)] + [next(replay) for _ in range(replayed)]
        batch.sort(key=lambda row: (-costs[row], row))
        order += batch
        offsets.append(len(order))
    return Schedule(
        np.array(order, dtype=np.int64), np.array(offsets, dtype=np.int64), micro_batch_size
    )


def _replayed(step: int, batch_size: int, share: Fraction) -> int:
    """Return the replay rows of a step so that the sum over steps never strays by a whole row.

    A batch always keeps at least one row of the dataset.
    """
    rows = batch_size * share
    count = int((step + 1) * rows) - int(step * rows)
    return min(count, batch_size - 1)


def _cycle(count: int, seed: str, first: int = 0) -> Iterator[int]:
    """Yield `first … first + count - 1` in a new order for each pass, for ever.

    `random.Random` seeded with text is the same on every platform and version of Python.
    """
    epoch = 0
    while count:
        rows = list(range(first, first + count))
        random.Random(f"{seed}:{epoch}").shuffle(rows)
        yield from rows
        epoch += 1
