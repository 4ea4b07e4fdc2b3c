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
