"""The row farthest from those chosen, again and again: k-centre, and MMR with quality added.

The score of a row is `bonus + share * (squared distance to the nearest chosen row)`; it can only
fall as rows are chosen, so an old score is an upper bound. The rows with the highest old scores
form a pool that is kept exact; the others are brought up to date, by one product of matrices for
all rows chosen since, only when one of them could win. The rows chosen, and their order, are those
of the plain greedy algorithm (Gonzalez 1985): the largest distance is at most twice the optimum.

Work: O(rows * chosen * dimensions) multiplications at worst; memory: the vectors and a few numbers
a row.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from curate.steps.selection.vectors import SCALE, Floats, Vectors

Rows = NDArray[np.int64]
_POOL = 2_048
_FAR = np.float32(4 * SCALE**2)


def farthest_first(
    vectors: Vectors,
    count: int,
    *,
    bonus: NDArray[np.float64] | None = None,
    distance_share: float = 1.0,
    pool: int = _POOL,
) -> Rows:
    """Return the places of `count` rows in the order in which they are chosen.

    Args:
        vectors: of all rows.
        count: how many, at most as many as there are.
        bonus: added to the score of each row, shape (rows,); none for k-centre.
        distance_share: weight of the distance, which is 1 - cosine.
        pool: rows kept exact at a time; changes the time, not the result.
    """
    search = _Search(vectors, bonus, distance_share, min(pool, len(vectors)))
    for _ in range(count):
        search.choose()
    return np.array(search.chosen, np.int64)


class _Search:
    """The scores as they are known, and the rows chosen so far."""

    def __init__(
        self,
        vectors: Vectors,
        bonus: NDArray[np.float64] | None,
        distance_share: float,
        pool: int,
    ) -> None:
        self.vectors = vectors
        self.norms = vectors.norms()
        self.bonus = np.zeros(len(vectors)) if bonus is None else bonus
        self.share = distance_share / (2 * SCALE**2)
        self.size = pool
        self.gap: Floats = np.full(len(vectors), _FAR, np.float32)
        """Least squared distance to the rows chosen until the last refresh."""
        self.free = np.ones(len(vectors), bool)
        self.chosen: list[int] = []
        self.waiting: list[int] = []
        """Chosen since the last refresh."""
        self.pool: Rows = np.empty(0, np.int64)
        self.outside = np.inf
        """The highest score, exact or old, of a row not in the pool."""
        self.first_outside = 0
        """The first row that has it."""

    def choose(self) -> None:
        """Choose the row with the highest score; of equal ones the first."""
        if not self.chosen:
            self._take(self._first())
            self._refresh()
            return
        row, score = self._best_in_pool()
        if score < self.outside or (score == self.outside and row > self.first_outside):
            self._refresh()
            row, _ = self._best_in_pool()
        self._take(row)

    def _first(self) -> int:
        """Return the row with the best bonus; of equal ones that nearest to the mean."""
        total = np.zeros(self.vectors.values.shape[1], np.float64)
        for _, block in self.vectors.blocks():
            total += block.sum(axis=0, dtype=np.float64)
        near = np.concatenate([block @ total for _, block in self.vectors.blocks()])
        return int(np.lexsort((np.arange(near.size), -near, -self.bonus))[0])

    def _best_in_pool(self) -> tuple[int, float]:
        exact = self.bonus[self.pool] + self.share * self.pool_gap
        scores = np.where(self.free[self.pool], exact, -np.inf)
        best = int(np.argmax(scores))
        return int(self.pool[best]), float(scores[best])

    def _take(self, row: int) -> None:
        self.chosen.append(row)
        self.waiting.append(row)
        self.free[row] = False
        if self.pool.size:
            # So small a product is faster without the threads of the matrix library.
            mine = self.vectors.of(np.array([row]))[0]
            products = np.einsum("ij,j->i", self.pool_vectors, mine)
            gap = self.norms[self.pool] + self.norms[row] - 2 * products
            np.minimum(self.pool_gap, gap, out=self.pool_gap)

    def _refresh(self) -> None:
        """Bring every row up to date, and fill the pool with the highest scores."""
        waiting = np.array(self.waiting, np.int64)
        centres, lengths = self.vectors.of(waiting), self.norms[waiting]
        for place, block in self.vectors.blocks():
            nearest = (lengths - 2 * (block @ centres.T)).min(axis=1)
            np.minimum(self.gap[place], self.norms[place] + nearest, out=self.gap[place])
        self.waiting = []
        scores = np.where(self.free, self.bonus + self.share * self.gap, -np.inf)
        order = np.argsort(-scores, kind="stable")  # of equal scores the first row comes first
        self.pool = np.sort(order[: self.size])
        rest = order[self.size :]
        self.outside = float(scores[rest[0]]) if rest.size else -np.inf
        self.first_outside = int(rest[0]) if rest.size else scores.size
        self.pool_vectors = self.vectors.of(self.pool)
        self.pool_gap = self.gap[self.pool].copy()
