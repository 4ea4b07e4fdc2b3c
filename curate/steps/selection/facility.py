"""Facility location: every row has a chosen row near it, on average.

The value of a choice is the sum over rows of the similarity to the nearest chosen row (Wei, Iyer,
Bilmes 2015), which is monotone and submodular: the greedy choice has at least 1 - 1/e of the best
value there is (Nemhauser et al. 1978).

Up to `MATRIX_ROWS` rows the greedy choice itself is made, lazily (Minoux 1978), on the matrix of all
similarities. Beyond that the value is summed over a sample of the rows, and each choice is the best
of a random few (Mirzasoleiman et al. 2015, arXiv 1409.7938): of n rows and N wanted, n/N * ln(1/e)
of them, which costs e = 0.1 of the bound in expectation. Work: O(n * ln(1/e) * sample * dimensions)
whatever N is; memory: the vectors and a few products of a block.
"""

from __future__ import annotations

import heapq
import math

import numpy as np
from numpy.typing import NDArray

from curate.steps.selection.vectors import SCALE, Floats, Vectors
from evalsuite.similarity.tokens import mix

Rows = NDArray[np.int64]
MATRIX_ROWS = 8_192
"""The largest matrix of similarities is this many rows square: 268 MB."""
SAMPLE_ROWS = 8_192
_EPSILON = 0.1
_LOOKED_AT = 256
"""Rows whose similarities to the sample are computed at a time."""


def facility_location(vectors: Vectors, count: int, *, seed: int = 0) -> Rows:
    """Return the places of `count` rows in the order in which they are chosen.

    Args:
        vectors: of all rows.
        count: how many, at most as many as there are.
        seed: of the samples, where there are more than `MATRIX_ROWS` rows.
    """
    if len(vectors) <= MATRIX_ROWS:
        return _lazy(vectors, count)
    return _stochastic(vectors, count, seed)


def similarities(left: Floats, right: Floats) -> Floats:
    """Return the products of two sets of vectors, none below 0; exact whole numbers."""
    return np.maximum(left @ right.T, 0)


def value_of(vectors: Vectors, chosen: Rows) -> float:
    """Return the mean over rows of the similarity to the nearest chosen row, about 0 to 1."""
    centres = vectors.of(chosen)
    total = sum(
        float(similarities(block, centres).max(axis=1).sum(dtype=np.float64))
        for _, block in vectors.blocks(2_048)
    )
    return total / SCALE**2 / max(len(vectors), 1)


def _lazy(vectors: Vectors, count: int) -> Rows:
    every = vectors.of(slice(None))
    matrix = similarities(every, every)
    covered = np.zeros(len(vectors), np.float32)
    gains = matrix.sum(axis=0, dtype=np.float64)
    heap = [(-gain, row) for row, gain in enumerate(gains.tolist())]
    heapq.heapify(heap)
    chosen: list[int] = []
    while len(chosen) < count:
        bound, row = heapq.heappop(heap)
        gain = float(np.maximum(matrix[row] - covered, 0).sum(dtype=np.float64))
        if heap and (-gain, row) > heap[0]:
            heapq.heappush(heap, (-gain, row))
            continue
        chosen.append(row)
        np.maximum(covered, matrix[row], out=covered)
    return np.array(chosen, np.int64)


def _stochastic(vectors: Vectors, count: int, seed: int) -> Rows:
    rows = len(vectors)
    draws = _Draws(seed)
    sample = vectors.of(np.sort(draws.order(rows)[:SAMPLE_ROWS]))
    covered = np.zeros(len(sample), np.float32)
    free = np.arange(rows, dtype=np.int64)
    place_of = np.arange(rows, dtype=np.int64)
    chosen: list[int] = []
    while len(chosen) < count:
        few = max(1, math.ceil(free.size / (count - len(chosen)) * math.log(1 / _EPSILON)))
        looked = free[draws.below(free.size, min(few, free.size))]
        row, covered = _best(vectors, looked, sample, covered)
        chosen.append(row)
        last = int(free[-1])
        free[place_of[row]], place_of[last] = last, place_of[row]
        free = free[:-1]
    return np.array(chosen, np.int64)


def _best(
    vectors: Vectors, looked: Rows, sample: Floats, covered: Floats
) -> tuple[int, Floats]:
    """Return the row with the largest gain, of equal ones the first, and what is covered then."""
    best: tuple[float, int] | None = None
    now = covered
    for begin in range(0, looked.size, _LOOKED_AT):
        some = looked[begin : begin + _LOOKED_AT]
        near = np.maximum(similarities(vectors.of(some), sample), covered)
        totals = near.sum(axis=1, dtype=np.float64)
        for place in np.flatnonzero(totals == totals.max()).tolist():
            key = (-float(totals[place]), int(some[place]))
            if best is None or key < best:
                best, now = key, near[place]
    assert best is not None
    return best[1], now


class _Draws:
    """Random numbers that no library's next version changes: splitmix64 over a counter."""

    def __init__(self, seed: int) -> None:
        self.key = mix(np.array([seed & (2**64 - 1)], np.uint64) + np.uint64(0x9E3779B97F4A7C15))
        self.counter = 0

    def below(self, limit: int, count: int) -> Rows:
        """Return `count` numbers from 0 to `limit` - 1, some perhaps twice."""
        return (self._next(count) % np.uint64(limit)).astype(np.int64)

    def order(self, count: int) -> Rows:
        """Return 0 to `count` - 1 in random order."""
        return np.argsort(self._next(count), kind="stable")

    def _next(self, count: int) -> NDArray[np.uint64]:
        numbers = np.arange(self.counter, self.counter + count, dtype=np.uint64)
        self.counter += count
        return mix(mix(numbers) ^ self.key)
