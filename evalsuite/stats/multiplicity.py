"""Many questions asked at once: corrected p-values, in the order given."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats


def _checked(p: ArrayLike) -> NDArray[np.float64]:
    values = np.asarray(p, dtype=np.float64)
    if values.ndim != 1 or not ((values >= 0) & (values <= 1)).all():
        raise ValueError("p-values must be a flat array of numbers between 0 and 1")
    return values


def bonferroni(p: ArrayLike) -> NDArray[np.float64]:
    """Return p times the number of tests, at most 1."""
    values = _checked(p)
    return np.minimum(1.0, values * values.size)


def holm(p: ArrayLike) -> NDArray[np.float64]:
    """Return Holm's adjusted p-values: the chance of naming any innocent one stays below alpha.

    Never weaker than Bonferroni. Source: Holm, Scandinavian Journal of Statistics 6 (1979).

    >>> holm([0.001, 0.008, 0.039, 0.041, 0.27]).round(3).tolist()
    [0.005, 0.032, 0.117, 0.117, 0.27]
    """
    values = _checked(p)
    order = np.argsort(values, kind="stable")
    steps = values[order] * np.arange(values.size, 0, -1)
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(steps))
    return adjusted


def benjamini_hochberg(p: ArrayLike) -> NDArray[np.float64]:
    """Return adjusted p-values that bound the expected share of false discoveries."""
    values = _checked(p)
    if values.size == 0:
        return values
    return np.asarray(stats.false_discovery_control(values, method="bh"), dtype=np.float64)


def fisher_combined(p: ArrayLike) -> float:
    """Return the p of "all hypotheses are true at once" by Fisher's method."""
    return float(stats.combine_pvalues(_checked(p)).pvalue)
