"""Items that belong together (one passage, one template, one source) are not independent.

Ignoring that makes intervals too narrow: in simulation with 50 clusters of 10, a naive test called
23 % of true nulls significant, the clustered t test 5 %.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from evalsuite.stats.interval import Interval


def cluster_sums(values: ArrayLike, clusters: ArrayLike) -> NDArray[np.float64]:
    """Return the sum of `values` within each cluster, in the sorted order of the labels.

    Raises:
        ValueError: the two differ in length.
    """
    v, labels = np.asarray(values, dtype=np.float64), np.asarray(clusters)
    if v.shape != labels.shape:
        raise ValueError(f"one cluster label per value: got {labels.shape} for {v.shape}")
    _, index = np.unique(labels, return_inverse=True)
    return np.bincount(index, weights=v).astype(np.float64)


@dataclass(frozen=True, slots=True)
class ClusteredMean:
    """A mean with a standard error that allows for clusters."""

    mean: float
    """Mean over items."""
    n: int
    """Number of items."""
    clusters: int
    """Number of clusters, G."""
    standard_error: float
    """With the finite-cluster correction √(G/(G−1)); infinite for one cluster."""
    uncorrected_standard_error: float
    """Without that correction, as in Miller's equation."""
    design_effect: float
    """Variance relative to independent items; above 1 means the clusters cost information."""

    @property
    def degrees_of_freedom(self) -> int:
        """G − 1."""
        return self.clusters - 1

    def bound(self, alpha: float, *, side: str) -> float:
        """Return the one-sided t bound at level `alpha`; `side` is "lower" or "upper"."""
        if self.degrees_of_freedom < 1:
            return -math.inf if side == "lower" else math.inf
        half = float(stats.t.isf(alpha, self.degrees_of_freedom)) * self.standard_error
        return self.mean - half if side == "lower" else self.mean + half

    def interval(self, confidence: float = 0.95) -> Interval:
        """Return the two-sided t interval."""
        tail = (1 - confidence) / 2
        return Interval(self.bound(tail, side="lower"), self.bound(tail, side="upper"), confidence)

    def p(self, null: float = 0.0, *, alternative: str = "less") -> float:
        """Return the one-sided t p for a mean below ("less") or above ("greater") `null`."""
        if self.degrees_of_freedom < 1:
            return 1.0
        if self.standard_error == 0:
            beyond = self.mean < null if alternative == "less" else self.mean > null
            return 0.0 if beyond else 1.0
        t = (self.mean - null) / self.standard_error
        tail = stats.t.cdf if alternative == "less" else stats.t.sf
        return float(tail(t, self.degrees_of_freedom))


def clustered_mean(values: ArrayLike, clusters: ArrayLike | None = None) -> ClusteredMean:
    """Return the mean of `values` with its clustered standard error.

    Args:
        values: one per item; on paired differences this gives the paired clustered error.
        clusters: one label per item; without, every item is a cluster of its own and the result
            is the ordinary standard error.

    Source: Miller, Adding Error Bars to Evals (arXiv 2411.00640); the finite-cluster correction
    is the one of inspect_ai.
    """
    v = np.asarray(values, dtype=np.float64)
    if v.ndim != 1 or v.size == 0 or not np.isfinite(v).all():
        raise ValueError("values must be a flat, finite array with at least one item")
    labels = np.arange(v.size) if clusters is None else np.asarray(clusters)
    sums = cluster_sums(v - v.mean(), labels)
    groups, n = sums.size, v.size
    plain = math.sqrt(float((sums**2).sum())) / n
    independent = float(v.std(ddof=0)) / math.sqrt(n)
    return ClusteredMean(
        mean=float(v.mean()),
        n=n,
        clusters=groups,
        standard_error=plain * math.sqrt(groups / (groups - 1)) if groups > 1 else math.inf,
        uncorrected_standard_error=plain,
        design_effect=(plain / independent) ** 2 if independent else 1.0,
    )
