"""Does a stated 80 % come true eight times in ten?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True, slots=True)
class Calibration:
    """Calibration of probabilities against what happened."""

    ece: float
    """Expected calibration error over equal bins, closed on the right."""
    brier: float
    """Mean squared error of the probabilities."""
    nll: float
    """Mean negative log-likelihood, nats; infinite when something certain did not happen."""
    n: int
    """Items; with ten bins, below about 300 the ECE is mostly noise."""


def calibration(probabilities: ArrayLike, outcomes: ArrayLike, bins: int = 10) -> Calibration:
    """Compare probabilities with outcomes (0 or 1), item by item."""
    p, y = np.asarray(probabilities, dtype=float), np.asarray(outcomes, dtype=float)
    if p.shape != y.shape or p.ndim != 1 or p.size == 0:
        raise ValueError("one outcome per probability, and at least one")
    if not ((p >= 0) & (p <= 1)).all() or not np.isin(y, (0, 1)).all():
        raise ValueError("probabilities lie between 0 and 1, outcomes are 0 or 1")
    edges = np.linspace(0, 1, bins + 1)
    index = np.clip(np.digitize(p, edges, right=True) - 1, 0, bins - 1)
    # |mean p − mean y| weighted by the bin's share is the bin's summed difference over n.
    ece = np.abs(np.bincount(index, weights=p - y, minlength=bins)).sum() / p.size
    with np.errstate(divide="ignore"):
        nll = -np.log(np.where(y == 1, p, 1 - p)).mean()
    return Calibration(ece=float(ece), brier=float(((p - y) ** 2).mean()), nll=float(nll), n=p.size)
