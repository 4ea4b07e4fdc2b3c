"""Chance that at least one of k sampled answers is right."""

from __future__ import annotations

import math


def pass_at_k(n: int, correct: int, k: int) -> float:
    """Return the unbiased estimate from `n` samples of which `correct` are right.

    Source: Chen et al. 2021, equation 1: 1 − C(n−c, k) / C(n, k).

    >>> round(pass_at_k(10, 3, 5), 6)
    0.916667
    """
    if not (0 <= correct <= n and 1 <= k <= n):
        raise ValueError("need 0 ≤ correct ≤ n and 1 ≤ k ≤ n")
    return 1 - math.comb(n - correct, k) / math.comb(n, k)
