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
SAMPLE_ROWS = 16_384
"""Centres are found with at most so many rows, spread over all; then every row gets its nearest."""
_FEW_ROWS = 4_096
"""With so many of them several beginnings are tried; the one of greatest cohesion is gone on with.
"""
_BEGINNINGS = 4
_FEW_ROUNDS, _ROUNDS = 10, 40
_MOVED = 0.001
"""Centres stand still when a smaller share of the rows than this changes its centre."""
_EXACT_ROWS = 8_192
"""Sums of so many whole numbers up to 1,024 are exact in single precision."""


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
    few = inside[:: -(-len(inside) // max(_FEW_ROWS, 4 * count))]
    found = [
        _settled(few, _beginning(few, count, seed + _BEGINNINGS * beginning), _FEW_ROUNDS)
        for beginning in range(_BEGINNINGS)
    ]
    begun = max(found, key=lambda centres: _cohesion(few, centres))
    centres = _settled(inside, begun, _ROUNDS)
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


def _settled(inside: Floats, centres: Floats, rounds: int) -> Floats:
    """Return centres that are the mean directions of their rows, after so many rounds at most."""
    of = np.full(len(inside), -1, np.int64)
    for _ in range(rounds):
        nearest, _ = _nearest(inside, centres)
        moved = int((nearest != of).sum())
        of = nearest
        if moved <= _MOVED * len(inside):
            break
        centres = _means(inside, of, centres)
    return centres


def _cohesion(inside: Floats, centres: Floats) -> float:
    return float(_cosines(inside, centres, *_nearest(inside, centres)).sum())


def _nearest(block: Floats, centres: Floats) -> tuple[Rows, Floats]:
    """Return the centre with the largest cosine, of equal ones the first, and the product."""
    lengths = np.sqrt((centres.astype(np.float64) ** 2).sum(axis=1)).astype(np.float32)
    with np.errstate(invalid="ignore"):  # BLAS raises the flag now and then for finite numbers
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
    sums = np.zeros(centres.shape)
    for begin in range(0, len(inside), _EXACT_ROWS):
        some = of[begin : begin + _EXACT_ROWS]
        member = (some == np.arange(len(centres))[:, None]).astype(np.float32)
        sums += member @ inside[begin : begin + _EXACT_ROWS]
    means = whole_numbers(sums).astype(np.float32)
    turned = means.any(axis=1)  # rows that cancel each other have no mean direction
    out = centres.copy()
    out[turned] = means[turned]
    return out


def _by_size(of: Rows, count: int, cohesion: float) -> Clusters:
    sizes = np.bincount(of[of >= 0], minlength=count)
    order = np.argsort(-sizes, kind="stable")
    number = np.empty(count, np.int64)
    number[order] = np.arange(count)
    sizes = sizes[order]
    renamed = np.where(of >= 0, number[of], -1)
    return Clusters(renamed, sizes[sizes > 0], cohesion)
