"""From verified pairs to rows to keep, and to groups that belong together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]


def greedy_keep(rows: int, first: Rows, second: Rows, rank: Rows) -> Rows:
    """Return for each row the kept row it duplicates, or -1 where the row itself is kept.

    Rows are gone through from the best rank; one is dropped only if a row that was *kept* is
    verified as its duplicate. So A ~ B ~ C does not drag C out for being like B, and every cluster
    keeps at least one row.

    Args:
        rows: number of rows.
        first, second: verified pairs, shape (pairs,).
        rank: place of each row in the order of preference, a permutation; 0 is the best.
    """
    better = np.where(rank[first] < rank[second], first, second)
    worse = np.where(rank[first] < rank[second], second, first)
    order = np.lexsort((rank[better], rank[worse]))
    partner = np.full(rows, -1, np.int64)
    # All pairs of a row as the worse one come after it was itself decided as the better one.
    for keeper, candidate in zip(better[order].tolist(), worse[order].tolist(), strict=True):
        if partner[keeper] < 0 and partner[candidate] < 0:
            partner[candidate] = keeper
    return partner


def components(rows: int, first: Rows, second: Rows) -> Rows:
    """Return for each row the smallest row of its connected component.

    Labels hook onto the smaller label and are then followed to their root (pointer jumping), so
    the number of rounds grows with the logarithm of the longest chain.
    """
    label = np.arange(rows, dtype=np.int64)
    while True:
        left, right = label[first], label[second]
        low, high = np.minimum(left, right), np.maximum(left, right)
        apart = low != high
        if not apart.any():
            return label
        np.minimum.at(label, high[apart], low[apart])
        while True:
            root = label[label]
            if np.array_equal(root, label):
                break
            label = root
