"""The rows kept so far, asked for the one nearest to another: exactly, or by an index.

Vectors are whole numbers (see `Vectors`), so products are exact and no number of threads changes
a decision. An index only proposes; what it proposes is compared exactly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from curate.steps.selection.vectors import Floats, Vectors
from workspace.errors import UsageError

if TYPE_CHECKING:
    from usearch.index import Index

Rows = NDArray[np.int64]
Cosines = NDArray[np.float64]
_BLOCK = 4_096
_PROPOSED = 8
"""Rows that an index proposes for each; one is enough, if it is found."""
_CONNECTIVITY, _ADDED, _SEARCHED = 32, 128, 128
"""Of the graph: neighbours of a row, and rows looked at when one is added or asked for."""


class Kept(Protocol):
    """Rows that were kept, in their order of preference."""

    def add(self, places: Rows) -> None:
        """Keep these rows too."""
        ...

    def nearest(self, places: Rows) -> tuple[Rows, Cosines]:
        """Return the nearest kept row of each and their cosine; -1 and -1.0 where there is none."""
        ...


def cosines(left: Floats, right: Floats) -> Cosines:
    """Return the cosine of every two vectors of whole numbers, shape (left, right); 0 with zero."""
    lengths = _lengths(left)[:, None] * _lengths(right)[None]
    products = (left @ right.T).astype(np.float64)
    out: Cosines = np.zeros_like(products)
    np.divide(products, lengths, out=out, where=lengths > 0)
    return out


def paired(left: Floats, right: Floats) -> Cosines:
    """Return the cosine of each vector with that of the same place, shape (left,)."""
    lengths = _lengths(left) * _lengths(right)
    products = np.einsum("ij,ij->i", left, right, dtype=np.float64)
    out: Cosines = np.zeros_like(products)
    np.divide(products, lengths, out=out, where=lengths > 0)
    return out


def _lengths(vectors: Floats) -> Cosines:
    return np.asarray(np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64)))


class ExactKept:
    """Compares with every kept row, a block at a time."""

    def __init__(self, vectors: Vectors, most: int) -> None:
        """Make room for `most` of the rows of `vectors`."""
        self.vectors = vectors
        self.places: Rows = np.empty(most, np.int64)
        self.count = 0

    def add(self, places: Rows) -> None:
        """Keep these rows too."""
        self.places[self.count : self.count + places.size] = places
        self.count += places.size

    def nearest(self, places: Rows) -> tuple[Rows, Cosines]:
        """Return the nearest kept row of each, of equal ones the first, and their cosine."""
        mine = self.vectors.of(places)
        found = np.full(places.size, -1, np.int64)
        best = np.full(places.size, -np.inf, np.float32)
        for begin in range(0, self.count, _BLOCK):
            some = self.places[begin : min(begin + _BLOCK, self.count)]
            theirs = self.vectors.of(some)
            lengths = _lengths(theirs).astype(np.float32)
            products = mine @ theirs.T
            products /= np.where(lengths > 0, lengths, 1)
            top = products.argmax(axis=1)
            value = products[np.arange(places.size), top]
            better = value > best
            found[better], best[better] = some[top[better]], value[better]
        return found, exactly(self.vectors, places, mine, found)


class IndexedKept:
    """Asks a usearch index (HNSW, Malkov and Yashunin 2016, arXiv 1603.09320).

    Rows are added by one thread, in their order, which makes the graph the same every time. What
    is indexed is the vectors less their mean: embeddings crowd around it, and among neighbours
    that are all alike the search through the graph loses its way (it found 75 % of the rows near
    a better one before, of 12,000 that had a median cosine of 0.64 with each other).
    """

    def __init__(self, vectors: Vectors) -> None:
        self.vectors = vectors
        self.index = _new_index(vectors.values.shape[1])
        total = np.zeros(vectors.values.shape[1], np.int64)
        for _, block in vectors.blocks():
            total += block.sum(axis=0, dtype=np.float64).astype(np.int64)  # exact whole numbers
        self.mean = (total / max(len(vectors), 1)).astype(np.float32)

    def add(self, places: Rows) -> None:
        """Keep these rows too."""
        if places.size:
            self.index.add(places, self.vectors.of(places) - self.mean, threads=1)

    def nearest(self, places: Rows) -> tuple[Rows, Cosines]:
        """Return the nearest row that the index finds for each, and their exact cosine."""
        if not len(self.index):
            return np.full(places.size, -1, np.int64), np.full(places.size, -1.0)
        mine = self.vectors.of(places)
        keys = self._proposed(mine)
        found, best = np.full(places.size, -1, np.int64), np.full(places.size, -1.0)
        for column in np.sort(keys, axis=1).T:
            value = exactly(self.vectors, places, mine, column)
            better = value > best
            found[better], best[better] = column[better], value[better]
        return found, best

    def pairs(self, places: Rows, threshold: float) -> tuple[Rows, Rows]:
        """Return pairs of these kept rows with others of at least this cosine.

        Some rows no path of the graph leads to; from them a path leads to the others.
        """
        mine = self.vectors.of(places)
        first, second = [], []
        for column in self._proposed(mine).T:
            others = np.where(column == places, -1, column)
            near = exactly(self.vectors, places, mine, others) >= threshold
            first.append(places[near])
            second.append(others[near])
        return np.concatenate(first), np.concatenate(second)

    def _proposed(self, mine: Floats) -> Rows:
        """Return places of rows that may be near, -1 for none; shape (mine, up to 8)."""
        found = self.index.search(mine - self.mean, _PROPOSED).keys
        keys = np.asarray(found).reshape(len(mine), -1).astype(np.int64)
        # usearch fills up with its largest key where it finds fewer.
        return np.where((keys >= 0) & (keys < len(self.vectors)), keys, -1)


def exactly(vectors: Vectors, places: Rows, mine: Floats, theirs: Rows) -> Cosines:
    """Return the cosine of each of `mine` with the row at the place of `theirs`; -1 for place -1.

    Args:
        vectors: of all rows.
        places: of `mine`.
        mine: their vectors.
        theirs: places of the rows to compare with, or -1.
    """
    out = np.full(places.size, -1.0)
    has = theirs >= 0
    out[has] = paired(mine[has], vectors.of(theirs[has]))
    return out


def _new_index(dimensions: int) -> Index:
    try:
        from usearch.index import Index
    except ImportError as error:
        raise UsageError(
            "an index is needed for so many rows, and usearch is not installed",
            cause=f"{error}.",
            cure="pip install 'welltempered[semantic]'",
        ) from error
    return Index(
        ndim=dimensions,
        metric="cos",
        dtype="f16",
        connectivity=_CONNECTIVITY,
        expansion_add=_ADDED,
        expansion_search=_SEARCHED,
    )
