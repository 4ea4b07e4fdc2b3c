"""One share: intervals, and what "never seen" is worth."""

from __future__ import annotations

from scipy import stats

from evalsuite.stats.interval import Interval


def wilson_interval(successes: int, n: int, confidence: float = 0.95) -> Interval:
    """Return Wilson's score interval of a share.

    >>> interval = wilson_interval(96, 166)
    >>> round(interval.low, 6), round(interval.high, 6)
    (0.502253, 0.650831)
    """
    ci = stats.binomtest(successes, n).proportion_ci(confidence, method="wilson")
    return Interval(float(ci.low), float(ci.high), confidence)


def wilson_of_share(share: float, n: float, quantile: float, confidence: float = 0.95) -> Interval:
    """Return Wilson's interval of a share of a number of items that need not be whole.

    Args:
        share: observed, 0 to 1.
        n: independent items that it rests on.
        quantile: of the normal distribution, or of t where the variance was estimated.
        confidence: that the quantile stands for.

    >>> interval = wilson_of_share(96 / 166, 166, 1.959964)
    >>> round(interval.low, 6), round(interval.high, 6)
    (0.502253, 0.650831)
    """
    square = quantile**2
    centre = (share + square / (2 * n)) / (1 + square / n)
    spread = share * (1 - share) / n + square / (4 * n**2)
    half = quantile * spread**0.5 / (1 + square / n)
    return Interval(max(0.0, centre - half), min(1.0, centre + half), confidence)


def clopper_pearson_interval(successes: int, n: int, confidence: float = 0.95) -> Interval:
    """Return the exact interval, which is never too narrow and often too wide."""
    ci = stats.binomtest(successes, n).proportion_ci(confidence, method="exact")
    return Interval(float(ci.low), float(ci.high), confidence)


def zero_failures_upper_bound(n: int, alpha: float = 0.05) -> float:
    """Return the one-sided upper bound of a rate of which `n` trials showed no case.

    Print this instead of "0 %": 50 clean answers still allow 5.8 %.

    >>> round(zero_failures_upper_bound(50), 4)
    0.0582
    """
    if n <= 0:
        raise ValueError("n must be positive")
    return float(1 - alpha ** (1 / n))


def rule_of_three(n: int) -> float:
    """Return 3/n, the approximation of `zero_failures_upper_bound` for mental arithmetic."""
    if n <= 0:
        raise ValueError("n must be positive")
    return 3 / n
