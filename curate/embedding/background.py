"""How alike rows are that have nothing to do with each other: the cosines of random pairs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curate.embedding.kept import paired
from curate.steps.selection.vectors import Vectors
from evalsuite.similarity.tokens import mix

PAIRS = 200_000
_BLOCK = 8_192


@dataclass(frozen=True)
class Background:
    """Percentiles of the cosines of random pairs."""

    median: float
    p99: float
    p999: float

    @property
    def told(self) -> str:
        """The percentiles, in words."""
        return (
            f"random pairs have a cosine of {self.median:.2f} (median), {self.p99:.2f} (99 %) and "
            f"{self.p999:.2f} (99.9 %)"
        )


def background(vectors: Vectors, *, pairs: int = PAIRS) -> Background | None:
    """Return how alike random rows are, or None where there are not two to compare.

    Mean-pooled vectors crowd: two texts of one field can have a cosine of 0.9 for no other reason
    than their field. A threshold below the highest percentile drops such rows.

    Args:
        vectors: of all rows; zero ones are left out.
        pairs: how many to draw, the same ones every time; where there are no more, all of them.
    """
    filled = np.flatnonzero(vectors.norms() > 0)
    if filled.size < 2:
        return None
    first, second = _places(filled.size, pairs)
    parts = []
    for begin in range(0, first.size, _BLOCK):
        some = slice(begin, begin + _BLOCK)
        parts.append(paired(vectors.of(filled[first[some]]), vectors.of(filled[second[some]])))
    median, p99, p999 = np.percentile(np.concatenate(parts), [50, 99, 99.9]).tolist()
    return Background(median, p99, p999)


def _places(rows: int, pairs: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the two sides of each pair."""
    if rows * (rows - 1) // 2 <= pairs:
        first, second = np.triu_indices(rows, 1)
        return first.astype(np.int64), second.astype(np.int64)
    left = _drawn(pairs, 1) % np.uint64(rows)
    step = 1 + _drawn(pairs, 2) % np.uint64(rows - 1)
    return left.astype(np.int64), ((left + step) % np.uint64(rows)).astype(np.int64)


def _drawn(count: int, stream: int) -> NDArray[np.uint64]:
    """Return random numbers that no library's next version changes: splitmix64 over a counter."""
    return mix(np.arange(count, dtype=np.uint64) + np.uint64(stream << 40))
