"""One metric of one run, all of its points: bounded work to append, milliseconds to draw.

Finite values lie in flat arrays; what is not finite lies beside them, so that it is seen as a gap
and never takes part in an axis. The lowest and highest of every block of 64 values are kept: a
picture of a million points is made of these, and a spike of one step is in it however wide it is.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, bisect_right
from dataclasses import dataclass

BLOCK = 64
_WHOLE_BLOCKS = 4 * BLOCK
"""A span of so many points is made of whole blocks: its ends may be off by less than a block."""


@dataclass(frozen=True)
class Span:
    """What falls into one dot column."""

    first: float
    low: float
    high: float
    last: float


class Track:
    """The points of one metric, by rising step."""

    def __init__(self) -> None:
        self.steps = array("q")
        self.values = array("d")
        self.odd_steps = array("q")
        """Steps whose value was not finite."""
        self.odd_values: list[float] = []
        self.cuts = 0
        """How often a resume took points away."""
        self._lows = array("d")
        self._highs = array("d")

    def __len__(self) -> int:
        return len(self.steps)

    @property
    def last_step(self) -> int:
        """The latest step, finite or not; 0 for none."""
        ends = (self.steps[-1] if self.steps else 0, self.odd_steps[-1] if self.odd_steps else 0)
        return max(ends)

    def add(self, step: int, value: float) -> None:
        """Add a point. One at or before a known step replaces all from there on: a resume."""
        if self.steps and step <= self.steps[-1]:
            self.cut(step)
        if self.odd_steps and step <= self.odd_steps[-1]:
            place = bisect_left(self.odd_steps, step)
            del self.odd_steps[place:], self.odd_values[place:]
        if not math.isfinite(value):
            self.odd_steps.append(step)
            self.odd_values.append(value)
            return
        self.steps.append(step)
        self.values.append(value)
        if len(self.values) % BLOCK == 0:
            block = self.values[-BLOCK:]
            self._lows.append(min(block))
            self._highs.append(max(block))

    def cut(self, step: int) -> None:
        """Forget the finite points at and after `step`."""
        place = bisect_left(self.steps, step)
        self.cuts += 1
        del self.steps[place:], self.values[place:]
        del self._lows[place // BLOCK :], self._highs[place // BLOCK :]

    def places(self, first: float, last: float) -> tuple[int, int]:
        """Return the range of points from step `first` to step `last`, both included."""
        return bisect_left(self.steps, math.ceil(first)), bisect_right(self.steps, math.floor(last))

    def nearest(self, step: float) -> int | None:
        """Return the place of the point nearest to a step."""
        if not self.steps:
            return None
        right = bisect_left(self.steps, step)
        near = [place for place in (right - 1, right) if 0 <= place < len(self.steps)]
        return min(near, key=lambda place: abs(self.steps[place] - step))

    def value_at(self, step: int) -> float | None:
        """Return the value at exactly this step, finite or not; None where there is none."""
        place = bisect_left(self.steps, step)
        if place < len(self.steps) and self.steps[place] == step:
            return self.values[place]
        odd = bisect_left(self.odd_steps, step)
        if odd < len(self.odd_steps) and self.odd_steps[odd] == step:
            return self.odd_values[odd]
        return None

    def span(self, start: int, end: int) -> Span | None:
        """Return the lowest and highest of the points from place `start` up to `end`."""
        if start >= end:
            return None
        low, high = self._extremes(start, end)
        return Span(self.values[start], low, high, self.values[end - 1])

    def _extremes(self, start: int, end: int) -> tuple[float, float]:
        if end - start < _WHOLE_BLOCKS:
            found = self.values[start:end]
            return min(found), max(found)
        begin, stop = start // BLOCK, min(-(-end // BLOCK), len(self._lows))
        low, high = min(self._lows[begin:stop]), max(self._highs[begin:stop])
        if stop * BLOCK < end:  # the last block is not full yet
            tail = self.values[stop * BLOCK : end]
            low, high = min(low, min(tail)), max(high, max(tail))
        return low, high

    def is_broken(self, after: int, until: int) -> bool:
        """Whether a value between two steps was not finite, so that no line joins them."""
        place = bisect_right(self.odd_steps, after)
        return place < len(self.odd_steps) and self.odd_steps[place] < until
