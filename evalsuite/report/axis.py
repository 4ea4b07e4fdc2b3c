"""Axes of the pictures in reports, in per cent of the width.

Per cent, so that a picture fills a desk or a phone without its text being scaled.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

LEFT, RIGHT = 3.0, 97.0


@dataclass(frozen=True, slots=True)
class Scale:
    """A linear axis."""

    low: float
    """Value at the left end."""
    high: float
    """Value at the right end."""

    def at(self, value: float) -> float:
        """Return the position of a value in per cent of the width, cut to the axis."""
        share = (value - self.low) / (self.high - self.low)
        return round(LEFT + (RIGHT - LEFT) * min(1.0, max(0.0, share)), 2)


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on the axis."""

    at: float
    """Position, per cent."""
    label: str
    """What is written there."""


def round_step(rough: float) -> float:
    """Return the next of 1, 2, 5, 10 … at or above `rough`."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
