"""Facility location: every row has a chosen row near it, on average.

The value of a choice is the sum over rows of the similarity to the nearest chosen row (Wei, Iyer,
Bilmes 2015), which is monotone and submodular: the greedy choice has at least 1 - 1/e of the best
value there is (Nemhauser et al. 1978).

Up to `EXACT_ROWS` rows this value itself is maximised; beyond, the sum is over a sample of
`SAMPLE_ROWS` of them. The greedy choice is made lazily (Minoux 1978) on the matrix of similarities
of all rows to the sample, as long as it has at most `MATRIX_CELLS` cells; beyond, each choice is
the best of a random few (Mirzasoleiman et al. 2015, arXiv 1409.7938): of n rows and N wanted,
n/N * ln(1/e) of them, which costs e = 0.1 of the bound in expectation.

Work: O(n * sample * dimensions) multiplications, times ln(1/e) = 2.3 for the largest n, and for
each choice a few sums over the sample. Memory: the vectors and the matrix, at most 1 GB.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from curate.steps.selection.vectors import SCALE, Floats, Vectors
from evalsuite.similarity.tokens import mix

Rows = NDArray[np.int64]
EXACT_ROWS = 8_192
SAMPLE_ROWS = 4_096
MATRIX_CELLS = 1 << 29
"""Cells of two bytes."""
_EPSILON = 0.1
_LOOKED_AT = 256
"""Rows whose similarities to the sample are computed at a time."""
_AGAIN = 16
"""Old gains that are computed again at a time."""
_STEP = 1 / 1024


def facility_location(vectors: Vectors, count: int, *, seed: int = 0) -> Rows:
    """Return the places of `count` rows in the order in which they are chosen.

    Args:
        vectors: of all rows.
        count: how many, at most as many as there are.
        seed: of the samples, where there are more than `EXACT_ROWS` rows.
    """
    draws = _Draws(seed)
    every = len(vectors) <= EXACT_ROWS
    sample = vectors.of(slice(None) if every else np.sort(draws.order(len(vectors))[:SAMPLE_ROWS]))
    if len(vectors) * len(sample) <= MATRIX_CELLS:
        return _lazy(_matrix(vectors, sample), count)
    return _stochastic(vectors, sample, count, draws)


def similarities(left: Floats, right: Floats) -> Floats:
    """Return cosines in steps of 1/1024 as whole numbers, none below 0; shape (left, right).

    So that the sum over up to 8,192 rows is exact in single precision, in any order.
    """
    products = left @ right.T
    np.multiply(products, _STEP, out=products)
    np.floor(products, out=products)
    np.maximum(products, 0, out=products)
    return np.asarray(products)


def _sums(values: Floats) -> Floats:
    # Faster than a product with ones, which wakes the threads of the matrix library.
    return np.asarray(np.einsum("...j->...", values))


def value_of(vectors: Vectors, chosen: Rows) -> float:
    """Return the mean over rows of the similarity to the nearest chosen row, about 0 to 1."""
    centres = vectors.of(chosen)
    total = sum(
        float(similarities(block, centres).max(axis=1).sum(dtype=np.float64))
        for _, block in vectors.blocks(2_048)
    )
    return total / SCALE / max(len(vectors), 1)


def _matrix(vectors: Vectors, sample: Floats) -> NDArray[np.int16]:
    """Return the similarity of every row to every row of the sample."""
    matrix = np.empty((len(vectors), len(sample)), np.int16)
    for place, block in vectors.blocks(2_048):
        matrix[place] = similarities(block, sample)
    return matrix


def _lazy(matrix: NDArray[np.int16], count: int) -> Rows:
    """Choose the row with the largest gain; of equal ones the first.

    A gain can only fall as rows are chosen, so an old gain is an upper bound.
    """
    covered = np.zeros(matrix.shape[1], np.int16)
    heap = list(
        zip((-matrix.sum(axis=1, dtype=np.int64)).tolist(), range(len(matrix)), strict=True)
    )
    heapq.heapify(heap)
    known = np.zeros(len(matrix), np.int64)
    """How many rows were chosen when the gain was computed."""
    chosen: list[int] = []
    while len(chosen) < count:
        stale: list[int] = []
        while heap and len(stale) < _AGAIN and known[heap[0][1]] < len(chosen):
            stale.append(heapq.heappop(heap)[1])
        if stale:
            gains = np.maximum(matrix[stale], covered).sum(axis=1, dtype=np.int64)
            gains -= covered.sum(dtype=np.int64)
            known[stale] = len(chosen)
            for gain, row in zip(gains.tolist(), stale, strict=True):
                heapq.heappush(heap, (-gain, row))
            continue
        row = heapq.heappop(heap)[1]
        chosen.append(row)
        np.maximum(covered, matrix[row], out=covered)
    return np.array(chosen, np.int64)


def _stochastic(vectors: Vectors, sample: Floats, count: int, draws: _Draws) -> Rows:
    covered = np.zeros(len(sample), np.float32)
    free = np.ones(len(vectors), bool)
    chosen: list[int] = []
    while len(chosen) < count:
        left = np.flatnonzero(free)
        few = math.ceil(left.size / (count - len(chosen)) * math.log(1 / _EPSILON))
        steps = min(max(_LOOKED_AT // few, 1), count - len(chosen))
        looked = left[draws.below(left.size, few * steps)].reshape(steps, few)
        for row in _choices(vectors, looked, sample, covered):
            chosen.append(row)
            free[row] = False
    return np.array(chosen, np.int64)


def _choices(vectors: Vectors, looked: Rows, sample: Floats, covered: Floats) -> Iterator[int]:
    """Yield the best row of each line of `looked`, and bring `covered` up to date.

    The similarities of several lines are computed together; a line whose rows were all chosen
    before chooses nothing.
    """
    if looked.shape[0] == 1:
        yield _best_of(vectors, np.unique(looked), sample, covered)
        return
    near = similarities(vectors.of(looked.ravel()), sample).reshape(*looked.shape, -1)
    taken: set[int] = set()
    for rows, close in zip(looked, near, strict=True):
        sums = _sums(np.maximum(close, covered)).tolist()
        ranked = [
            (-gain, row, place)
            for place, (gain, row) in enumerate(zip(sums, rows.tolist(), strict=True))
            if row not in taken
        ]
        if ranked:
            _, row, place = min(ranked)
            np.maximum(covered, close[place], out=covered)
            taken.add(row)
            yield row


def _best_of(vectors: Vectors, rows: Rows, sample: Floats, covered: Floats) -> int:
    """Return the row with the largest gain, of equal ones the first; `covered` gets it."""
    row, most, close = -1, -1.0, covered
    for begin in range(0, rows.size, _LOOKED_AT):
        some = rows[begin : begin + _LOOKED_AT]
        near = similarities(vectors.of(some), sample)
        np.maximum(near, covered, out=near)
        sums = _sums(near)
        best = int(np.argmax(sums))
        if float(sums[best]) > most:
            row, most, close = int(some[best]), float(sums[best]), near[best].copy()
    np.copyto(covered, close)
    return row


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
