"""Can the training rows be told from fresh ones by the model's likelihood alone?"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from evalsuite.stats.interval import Interval


@dataclass(frozen=True, slots=True)
class Auc:
    """Probability that a random member scores above a random non-member, ties counting half."""

    value: float
    """0.5 is no signal, 1 is perfect."""
    standard_error: float
    """DeLong's; NaN with fewer than two rows on a side."""
    u: float
    """Mann–Whitney U of the members."""

    def interval(self, confidence: float = 0.95) -> Interval:
        """Return the normal interval, cut to [0, 1]."""
        half = float(stats.norm.ppf(0.5 + confidence / 2)) * self.standard_error
        return Interval(max(0.0, self.value - half), min(1.0, self.value + half), confidence)


def membership_auc(members: ArrayLike, others: ArrayLike) -> Auc:
    """Return the AUC of scores of training rows against fresh rows of the same split.

    Score a row by minus its loss or, better, by base loss minus tuned loss, which takes out how
    easy the row is. Fresh rows from elsewhere would measure the difference of sources instead.
    """
    pos, neg = np.asarray(members, dtype=float), np.asarray(others, dtype=float)
    if pos.size == 0 or neg.size == 0:
        raise ValueError("both sides need rows")
    u = float(stats.mannwhitneyu(pos, neg).statistic)
    # DeLong's placements by ranks: memory stays linear for large row sets.
    pooled, own = stats.rankdata(np.concatenate([pos, neg])), stats.rankdata
    place_pos = (pooled[: pos.size] - own(pos)) / neg.size
    place_neg = 1 - (pooled[pos.size :] - own(neg)) / pos.size
    error = math.nan
    if min(pos.size, neg.size) > 1:
        error = math.sqrt(place_pos.var(ddof=1) / pos.size + place_neg.var(ddof=1) / neg.size)
    return Auc(value=u / (pos.size * neg.size), standard_error=error, u=u)


def true_positive_rate(
    members: ArrayLike, others: ArrayLike, false_positive_rate: float = 0.01
) -> float:
    """Return the share of members found while at most this share of others is accused."""
    pos, neg = np.asarray(members, dtype=float), np.sort(np.asarray(others, dtype=float))[::-1]
    allowed = math.floor(false_positive_rate * neg.size)
    cut = neg[allowed] if allowed < neg.size else -math.inf
    return float((pos > cut).mean())


def min_k(log_probabilities: ArrayLike, share: float = 0.2) -> float:
    """Return the mean of the lowest `share` of a row's token log-probabilities (Min-K %).

    >>> round(min_k([-0.1, -5, -0.3, -2, -0.05, -3.5, -0.2, -1, -0.4, -0.6]), 2)
    -4.25
    """
    values = np.sort(np.asarray(log_probabilities, dtype=float))
    if values.size == 0 or not 0 < share <= 1:
        raise ValueError("a row needs tokens, and the share must lie in (0, 1]")
    return float(values[: math.ceil(share * values.size)].mean())
