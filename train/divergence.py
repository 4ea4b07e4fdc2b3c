"""When a loss has left the ground: a rule over means, fed step by step. Pure."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable

_MARGIN = 1.0
"""So that a loss near zero, which doubles by chance, is no alarm (in the loss's own unit)."""


class LossWatch:
    """Compares the mean loss of a window with the lowest such mean before."""

    def __init__(self, factor: float | None, window: int) -> None:
        """Alarm above `factor` times the lowest mean of `window` steps, plus 1; None for never."""
        self.factor, self.window = factor, window
        self._recent: deque[float] = deque(maxlen=window)
        self._lowest = math.inf

    def replay(self, losses: Iterable[float]) -> None:
        """Take the losses of steps that were done before."""
        for loss in losses:
            self.after(loss)

    def after(self, loss: float) -> str | None:
        """Take the loss of one more step; return what is wrong, or None.

        >>> watch = LossWatch(2.0, window=2)
        >>> [watch.after(loss) for loss in (3.0, 1.0, 1.0, 2.0)]
        [None, None, None, None]
        >>> watch.after(6.5)
        'the mean loss of the last 2 steps is 4.25, and was 1.00 at its lowest'
        """
        self._recent.append(loss)
        if self.factor is None or len(self._recent) < self.window:
            return None
        mean = sum(self._recent) / self.window
        # losses below zero (a reward model's margin, a weighted sum) are measured from zero
        if mean > self.factor * max(self._lowest, 0.0) + _MARGIN and self._lowest < math.inf:
            return (
                f"the mean loss of the last {self.window} steps is {mean:.2f}, "
                f"and was {self._lowest:.2f} at its lowest"
            )
        self._lowest = min(self._lowest, mean)
        return None
