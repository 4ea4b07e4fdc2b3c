"""The points of one curve as they arrive: bounded in memory, rewound by a resumed run."""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass
from itertools import pairwise

MOST_POINTS = 8192
"""More than any terminal has dot columns; a longer curve is thinned, peaks kept."""


@dataclass(frozen=True)
class Series:
    """A curve: equally long tuples, steps rising, values finite."""

    steps: tuple[int, ...] = ()
    values: tuple[float, ...] = ()

    def __len__(self) -> int:
        return len(self.steps)


NO_POINTS = Series()


class SeriesBuilder:
    """Collects the points of a curve.

    A resumed run goes back to its checkpoint, so a point at or before a known step replaces all
    that follows: what was trained there and lost is no longer part of the run.
    """

    def __init__(self) -> None:
        self._steps: list[int] = []
        self._values: list[float] = []
        self._frozen: Series | None = Series()

    def add(self, step: int, value: float) -> None:
        """Add a point. One that is not finite only rewinds."""
        if self._steps and step <= self._steps[-1]:
            cut = bisect_left(self._steps, step)
            del self._steps[cut:], self._values[cut:]
        if math.isfinite(value):
            self._steps.append(step)
            self._values.append(value)
        if len(self._steps) > MOST_POINTS:
            self._thin()
        self._frozen = None

    def _thin(self) -> None:
        """Keep the lowest and the highest of every four points."""
        kept: list[tuple[int, float]] = []
        points = list(zip(self._steps, self._values, strict=True))
        for start in range(0, len(points), 4):
            four = points[start : start + 4]
            ends = {min(four, key=lambda point: point[1]), max(four, key=lambda point: point[1])}
            kept.extend(sorted(ends))
        self._steps = [step for step, _ in kept]
        self._values = [value for _, value in kept]

    def freeze(self) -> Series:
        """Return the curve so far; the same object while nothing was added."""
        if self._frozen is None:
            self._frozen = Series(tuple(self._steps), tuple(self._values))
        return self._frozen


class Pace:
    """Seconds per step over the latest steps, from which the remaining time follows."""

    WINDOW = 64

    def __init__(self) -> None:
        self._marks: list[tuple[float, int]] = []

    def add(self, time: float, step: int) -> None:
        """Note that `step` was done at `time`. Going back (a resume) starts anew."""
        if self._marks and (step <= self._marks[-1][1] or time < self._marks[-1][0]):
            self._marks.clear()
        self._marks.append((time, step))
        del self._marks[: -self.WINDOW]

    def remaining_seconds(self, max_steps: int) -> float | None:
        """Return the time to `max_steps` at the latest pace, None before two steps are known.

        The median of the steps' durations, so that a checkpoint or an evaluation in between
        does not upset it.
        """
        if len(self._marks) < 2:
            return None
        paces = sorted((b[0] - a[0]) / (b[1] - a[1]) for a, b in pairwise(self._marks))
        return max(0.0, (max_steps - self._marks[-1][1]) * paces[len(paces) // 2])
