"""An interval and the confidence it was made with."""

from __future__ import annotations

from typing import NamedTuple


class Interval(NamedTuple):
    """A two-sided confidence interval, both ends included."""

    low: float
    """Lower end, in the unit of the estimate."""
    high: float
    """Upper end, in the unit of the estimate."""
    confidence: float = 0.95
    """Probability with which intervals made this way hold the truth."""

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int | float) and self.low <= value <= self.high
