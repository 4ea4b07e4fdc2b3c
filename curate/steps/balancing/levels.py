"""How much of each group there should be, from how much there is: arithmetic alone.

Sizes and results are amounts (tokens or rows) of each group, shape (groups,).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Amounts = NDArray[np.float64]


def capped(sizes: Amounts, cap: float) -> Amounts:
    """Return the sizes with none above `cap`; below 1 that is a share of what is left.

    Raises:
        ValueError: so few groups that each cannot have so small a share.
    """
    if cap >= 1:
        return np.minimum(sizes, cap)
    return np.minimum(sizes, _level(sizes, cap))


def _level(sizes: Amounts, share: float) -> float:
    """Return the largest level C with C <= share * sum(min(sizes, C)).

    With m groups at the level, C = share * rest / (1 - share * m); the sum is concave in C, so
    the first m whose next group lies below its level is the answer.
    """
    ordered = np.sort(sizes)[::-1]
    if share * sizes.size < 1 - 1e-9:
        raise ValueError(f"{sizes.size} of at most {share:g} of all each are not the whole")
    rest = float(ordered.sum())
    if ordered[0] <= share * rest:
        return float(ordered[0])
    for many in range(1, ordered.size):
        rest -= float(ordered[many - 1])
        if share * many >= 1:
            break
        level = share * rest / (1 - share * many)
        if ordered[many] <= level + 1e-9:
            return level
    return float(ordered[-1])


def raised(sizes: Amounts, least: float | Literal["max"]) -> Amounts:
    """Return the sizes with none below `least`; empty groups stay empty."""
    floor = float(sizes.max(initial=0.0)) if least == "max" else least
    return np.where(sizes > 0, np.maximum(sizes, floor), 0.0)


def tempered(sizes: Amounts, temperature: float) -> Amounts:
    """Return the shares p ∝ n^(1/T) (T5, arXiv 1910.10683, section 3.5.2).

    >>> tempered(np.array([100.0, 1.0]), 2.0).round(3).tolist()
    [0.909, 0.091]
    """
    if not sizes.any():
        return np.zeros_like(sizes)
    powered = np.where(sizes > 0, (sizes / sizes.max()) ** (1 / temperature), 0.0)
    return np.asarray(powered / powered.sum())


def shared_out(
    sizes: Amounts, shares: Amounts, size: Literal["down", "same", "up"] | int
) -> Amounts:
    """Return the amounts of groups that have these shares of a whole.

    >>> shared_out(np.array([80.0, 20.0]), np.array([0.5, 0.5]), "down").tolist()
    [20.0, 20.0]
    >>> shared_out(np.array([80.0, 20.0]), np.array([0.5, 0.5]), "up").tolist()
    [80.0, 80.0]
    """
    filled = (shares > 0) & (sizes > 0)
    if not filled.any():
        return np.zeros_like(sizes)
    ratio = sizes[filled] / shares[filled]
    whole = {"down": ratio.min(), "up": ratio.max(), "same": sizes.sum()}
    total = float(size if isinstance(size, int) else whole[size])
    return np.asarray(shares * total)


def in_whole_rows(wanted: Amounts) -> Amounts:
    """Return whole numbers with the same sum, the remainder to the largest fractions.

    >>> in_whole_rows(np.array([1.5, 1.5, 3.0])).tolist()
    [2.0, 1.0, 3.0]
    """
    low = np.floor(wanted + 1e-9)
    missing = int(np.floor(wanted.sum() - low.sum() + 1e-6))
    order = np.argsort(low - wanted, kind="stable")
    low[order[:missing]] += 1
    return low
