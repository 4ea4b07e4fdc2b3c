"""Which rows to drop for a better one near them: the best are kept first, and only they count.

Rows are gone through from the best. One is dropped only if a row that was *kept* has at least the
asked-for cosine with it; so A ~ B ~ C does not drag C out for being like B, every group of alike
rows keeps at least one, and an index holds kept rows alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curate.embedding.kept import Cosines, ExactKept, IndexedKept, Kept, cosines, exactly
from curate.steps.selection.vectors import Vectors
from evalsuite.similarity.cluster import greedy_keep

Rows = NDArray[np.int64]
EXACT_ROWS = 200_000
"""Up to so many rows all are compared; beyond, those that an index proposes."""
_BLOCK = 1_024
_TOLD_ROWS = 16_384


@dataclass(frozen=True)
class Near:
    """What was decided; arrays have shape (rows,)."""

    partner: Rows
    """Place of the kept row that this one is near to, -1 where it is kept itself."""
    cosine: Cosines
    """Of the two; -1 where the row is kept."""
    indexed_rows: int
    """Rows for which an index was asked."""


def greedy_near(
    vectors: Vectors,
    rank: Rows,
    threshold: float,
    apart: NDArray[np.uint64],
    *,
    exact_rows: int = EXACT_ROWS,
    tell: Callable[[int], None] = lambda done: None,
) -> Near:
    """Find rows near better ones.

    Args:
        vectors: of all rows; a row whose vector is zero is near to none.
        rank: place of each row in the order of preference, a permutation; 0 is the best.
        threshold: least cosine.
        apart: rows with different numbers are never near, shape (rows,).
        exact_rows: more rows than this of one number are compared by an index.
        tell: called with the number of rows gone through, every now and then.
    """
    partner = np.full(len(vectors), -1, np.int64)
    cosine = np.full(len(vectors), -1.0)
    indexed = done = told = 0
    for members in _groups(rank, apart, vectors):
        exact = members.size <= exact_rows
        indexed += 0 if exact else members.size
        kept: Kept = ExactKept(vectors, members.size) if exact else IndexedKept(vectors)
        for begin in range(0, members.size, _BLOCK):
            block = members[begin : begin + _BLOCK]
            partner[block], cosine[block] = _decided(vectors, block, kept, threshold)
            kept.add(block[partner[block] < 0])
            done += block.size
            if done - told >= _TOLD_ROWS:
                tell(done)
                told = done
        if isinstance(kept, IndexedKept):
            partner[members] = _looked_at_again(members, partner[members], kept, threshold)
            for begin in range(0, members.size, _BLOCK):
                some = members[begin : begin + _BLOCK]
                cosine[some] = exactly(vectors, some, vectors.of(some), partner[some])
    return Near(partner, cosine, indexed)


def _looked_at_again(members: Rows, partner: Rows, kept: IndexedKept, threshold: float) -> Rows:
    """Return the partners after kept rows, too, were asked what they are near to.

    Args:
        members: places of rows, the best first.
        partner: of each of them, -1 where it is kept.
        kept: the index that was asked.
        threshold: least cosine.
    """
    stays, gone = members[partner < 0], partner >= 0
    pairs = [(members[gone], partner[gone])]
    for begin in range(0, stays.size, _BLOCK):
        pairs.append(kept.pairs(stays[begin : begin + _BLOCK], threshold))
    order = np.argsort(members)
    first, second = (
        order[np.searchsorted(members[order], np.concatenate(side))]
        for side in zip(*pairs, strict=True)
    )
    found = greedy_keep(members.size, first, second, np.arange(members.size))
    return np.where(found >= 0, members[found], -1)


def _groups(rank: Rows, apart: NDArray[np.uint64], vectors: Vectors) -> list[Rows]:
    """Return the rows of each number that has several, the best first."""
    some = np.flatnonzero(vectors.norms() > 0)
    order = some[np.lexsort((rank[some], apart[some]))]
    ends = np.flatnonzero(np.diff(apart[order])) + 1
    return [group for group in np.split(order, ends) if group.size > 1]


def _decided(vectors: Vectors, block: Rows, kept: Kept, threshold: float) -> tuple[Rows, Cosines]:
    """Return the kept row that each row of a block is near to, and the cosine; -1 for none."""
    partner, cosine = kept.nearest(block)
    partner[cosine < threshold] = -1
    mine = vectors.of(block)
    within = np.tril(cosines(mine, mine), -1)  # of each row with those before it
    stays: list[int] = []
    near = within.max(axis=1) >= threshold
    for place in range(block.size):
        if near[place] and stays:
            first = stays[int(np.argmax(within[place, stays]))]
            value = within[place, first]
            if value >= threshold and value > cosine[place]:
                partner[place], cosine[place] = block[first], value
        if partner[place] < 0:
            stays.append(place)
    cosine[partner < 0] = -1.0
    return partner, cosine
