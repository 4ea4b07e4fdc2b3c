"""How much of an error level each look may use when a decision may fall at any of several looks.

What is decided at look k is tested at that look's own level. The levels add up to alpha, so that
the chance of ever deciding wrongly is at most alpha (the union bound): whatever the scores, the
test or the dependence between looks. What may not depend on the answers is the schedule.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise


def look_levels(alpha: float, sizes: Sequence[int]) -> list[float]:
    """Return the level of each look; together they are alpha.

    Spends alpha · t² by the share t of all items seen: little at first, most at the end, where a
    level lost would cost the most. Source of the family: Kim and DeMets, Biometrika 74 (1987).

    Args:
        alpha: the level of the whole.
        sizes: items seen at each look, ascending; the last is all there are.

    Raises:
        ValueError: alpha is out of range, or the sizes do not ascend.

    >>> [round(level, 5) for level in look_levels(0.05, [500, 750, 1000])]
    [0.0125, 0.01563, 0.02188]
    """
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must lie between 0 and 1, got {alpha}")
    if not sizes or sizes[0] < 1 or any(b <= a for a, b in pairwise(sizes)):
        raise ValueError(f"sizes must ascend from at least 1, got {list(sizes)}")
    spent = [0.0, *(alpha * (size / sizes[-1]) ** 2 for size in sizes)]
    return [after - before for before, after in pairwise(spent)]


def endless_level(alpha: float, look: int) -> float:
    """Return the level of one look of endlessly many: alpha / (k (k + 1)), alpha in all.

    Args:
        alpha: the level of the whole.
        look: k, from 1.

    >>> endless_level(0.05, 1), round(sum(endless_level(0.05, k) for k in range(1, 10_000)), 4)
    (0.025, 0.05)
    """
    if not 0 < alpha < 1 or look < 1:
        raise ValueError(f"alpha must lie between 0 and 1 and look be at least 1: {alpha}, {look}")
    return alpha / (look * (look + 1))
