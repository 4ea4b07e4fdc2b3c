"""Spherical k-means: clusters of directions (Dhillon and Modha 2001).

Vectors and centres are whole numbers, so products and sums are exact: the same rows are in the same
cluster on any machine with any number of threads.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curate.steps.selection.vectors import Floats, Vectors, whole_numbers
from evalsuite.similarity.tokens import mix

Rows = NDArray[np.int64]
SAMPLE_ROWS = 32_768
"""Centres are found with at most so many rows, spread over all; then every row gets its nearest."""
_ROUNDS = 50
_BEGINNINGS = 4
"""As often is it begun from other rows; the clusters with the greatest cohesion are taken."""


@dataclass(frozen=True)
class Clusters:
    """Which cluster each row is in."""

    of: Rows
    """Number of the cluster, the largest being 0; -1 where the vector is zero. Shape (rows,)."""
    sizes: Rows
    """Rows of each cluster, falling; shape (clusters,)."""
    cohesion: float
    """Mean cosine of a row with its centre."""


def spherical_kmeans(vectors: Vectors, count: int, *, seed: int = 0) -> Clusters:
    """Return at most `count` clusters, none empty; fewer where fewer rows differ.

    Args:
        vectors: of all rows.
        count: how many clusters, at least 1.
        seed: another begins with other rows.
    """
    filled = np.flatnonzero(vectors.norms() > 0)
    if not filled.size:
        return Clusters(np.full(len(vectors), -1, np.int64), np.empty(0, np.int64), 0.0)
    draws = mix(np.arange(filled.size, dtype=np.uint64) ^ mix(_seeded(seed)))
    sample = np.sort(filled[np.argsort(draws, kind="stable")[:SAMPLE_ROWS]])
    inside = vectors.of(sample)
    found = [
        _settled(inside, _beginning(inside, count, seed + _BEGINNINGS * beginning))
        for beginning in range(_BEGINNINGS)
    ]
    centres = max(found, key=lambda pair: pair[1])[0]
    of = np.full(len(vectors), -1, np.int64)
    total = 0.0
    for place, block in vectors.blocks():
        nearest, product = _nearest(block, centres)
        zero = ~block.any(axis=1)
        of[place] = np.where(zero, -1, nearest)
        total += float(_cosines(block, centres, nearest, product)[~zero].sum())
    return _by_size(of, len(centres), total / filled.size)


def _seeded(seed: int) -> NDArray[np.uint64]:
    return np.array([seed & (2**64 - 1)], np.uint64) + np.uint64(0x9E3779B97F4A7C15)


def _beginning(inside: Floats, count: int, seed: int) -> Floats:
    """Return centres drawn by their distance to those drawn before (k-means++, Arthur 2007)."""
    numbers = mix(np.arange(count, dtype=np.uint64) ^ mix(_seeded(~seed)))
    first = int(numbers[0] % np.uint64(len(inside)))
    centres = [inside[first]]
    gap = _gap(inside, centres[0])
    for number in numbers[1:].tolist():
        total = np.cumsum(gap)
        if total[-1] == 0:
            break
        chosen = int(np.searchsorted(total, number % int(total[-1]), side="right"))
        centres.append(inside[chosen])
        np.minimum(gap, _gap(inside, centres[-1]), out=gap)
    return np.stack(centres)


def _gap(inside: Floats, centre: Floats) -> Rows:
    """Return the squared distance of each row to a centre, a whole number; 0 for its copies."""
    return np.asarray(((inside - centre) ** 2).sum(axis=1, dtype=np.float64), np.int64)


def _settled(inside: Floats, centres: Floats) -> tuple[Floats, float]:
    """Return centres that are the mean directions of their rows, and their cohesion."""
    of = np.full(len(inside), -1, np.int64)
    for _ in range(_ROUNDS):
        nearest, product = _nearest(inside, centres)
        if np.array_equal(nearest, of):
            break
        of = nearest
        centres = _means(inside, of, centres)
    nearest, product = _nearest(inside, centres)
    return centres, float(_cosines(inside, centres, nearest, product).sum())


def _nearest(block: Floats, centres: Floats) -> tuple[Rows, Floats]:
    """Return the centre with the largest cosine, of equal ones the first, and the product."""
    lengths = np.sqrt((centres.astype(np.float64) ** 2).sum(axis=1)).astype(np.float32)
    products = block @ centres.T
    nearest = (products / lengths).argmax(axis=1)
    return nearest.astype(np.int64), products[np.arange(len(block)), nearest]


def _cosines(block: Floats, centres: Floats, nearest: Rows, product: Floats) -> NDArray[np.float64]:
    squares = (block.astype(np.float64) ** 2).sum(axis=1)
    lengths = np.sqrt(squares * (centres.astype(np.float64) ** 2).sum(axis=1)[nearest])
    out = np.zeros(len(block))
    np.divide(product, lengths, out=out, where=lengths > 0)
    return out


def _means(inside: Floats, of: Rows, centres: Floats) -> Floats:
    """Return the mean direction of each cluster; one without rows keeps its centre."""
    order = np.argsort(of, kind="stable")
    there, begins = np.unique(of[order], return_index=True)
    # Sums of whole numbers below 2**53 are exact in double precision.
    sums = np.add.reduceat(inside[order], begins, axis=0, dtype=np.float64)
    out = centres.copy()
    means = whole_numbers(sums).astype(np.float32)
    turned = means.any(axis=1)  # rows that cancel each other have no mean direction
    out[there[turned]] = means[turned]
    return out


def _by_size(of: Rows, count: int, cohesion: float) -> Clusters:
    sizes = np.bincount(of[of >= 0], minlength=count)
    order = np.argsort(-sizes, kind="stable")
    number = np.empty(count, np.int64)
    number[order] = np.arange(count)
    sizes = sizes[order]
    renamed = np.where(of >= 0, number[of], -1)
    return Clusters(renamed, sizes[sizes > 0], cohesion)
