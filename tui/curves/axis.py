"""Vertical axes that seldom move: a live curve is cheap as long as its axis stands still."""

from __future__ import annotations

import math
from typing import NamedTuple

from tui.figures import nice_step

Range = tuple[float, float]
_MOST_TICKS = 4


def widened(known: Range | None, low: float, high: float) -> Range:
    """Return a range that holds `low` to `high`: the known one as long as it does.

    It starts at zero when the values come near it, and widens by half its height at least, so
    that a falling curve seldom moves it.
    """
    is_positive = low >= 0
    if known is not None:
        if known[0] <= low and high <= known[1]:
            return known
        margin = (known[1] - known[0]) / 2
        low = min(known[0], low - margin) if low < known[0] else known[0]
        high = max(known[1], high + margin) if high > known[1] else known[1]
        low = max(low, 0.0) if is_positive else low
    if 0 <= low < high / 2:
        low = 0.0
    if high <= low:
        margin = abs(high) / 10 or 1.0
        low, high = low - margin, high + margin
    step = nice_step(high - low, _MOST_TICKS)
    return math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step


def widened_decades(known: Range | None, low: float, high: float) -> Range:
    """Return a range of 1, 2 or 5 times a power of ten that holds positive values."""
    if known is not None:
        if known[0] <= low and high <= known[1]:
            return known
        low, high = min(low, known[0]), max(high, known[1])
    low, high = _round_log(low, up=False), _round_log(high, up=True)
    return (low, high) if low < high else (low / 10, high * 10)


def _round_log(value: float, *, up: bool) -> float:
    power = 10.0 ** math.floor(math.log10(value))
    marks = [factor * power for factor in (1.0, 2.0, 5.0, 10.0)]
    fitting = (
        [m for m in marks if m >= value * (1 - 1e-9)]
        if up
        else [m for m in marks if m <= value * (1 + 1e-9)]
    )
    return fitting[0 if up else -1]


class Scale(NamedTuple):
    """Where a value lies on a vertical axis."""

    low: float
    high: float
    is_log: bool = False

    def row(self, value: float, height: int) -> int:
        """Return the row of a value among `height`, 0 the lowest; outside it is the nearest."""
        share = self._share(value)
        return min(height - 1, max(0, round(share * (height - 1))))

    def _share(self, value: float) -> float:
        if not self.is_log:
            return (value - self.low) / (self.high - self.low)
        if value <= 0:
            return 0.0
        return math.log(value / self.low) / math.log(self.high / self.low)

    def ticks(self, height: int, width: int) -> dict[int, str]:
        """Return the label of each line that has one, by line from the top."""
        most = max(1, min(_MOST_TICKS, height // 2))
        labels: dict[int, str] = {}
        for value in self._decades(most) if self.is_log else self._evenly(most):
            labels.setdefault(height - 1 - self.row(value, height), f"{value:.6g}"[:width])
        return labels

    def _evenly(self, most: int) -> list[float]:
        step = nice_step(self.high - self.low, most)
        first = math.ceil(self.low / step - 1e-9)
        return [index * step for index in range(first, math.floor(self.high / step + 1e-9) + 1)]

    def _decades(self, most: int) -> list[float]:
        powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        fine = [factor * 10.0**power for power in powers for factor in (1, 2, 5)]
        fine = [v for v in fine if self.low * (1 - 1e-9) <= v <= self.high * (1 + 1e-9)]
        coarse = [v for v in fine if abs(math.log10(v) - round(math.log10(v))) < 1e-9]
        found = fine if len(fine) <= most + 1 or not coarse else coarse
        return found[:: max(1, -(-len(found) // (most + 1)))]
