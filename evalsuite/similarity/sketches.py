"""Band keys of sets of any size at about one cost: large sets are sampled first.

The keys are those of `minhash`: two sets that share one are worth comparing. A set of few grams
(below `FEW`) has them from `bands * rows` functions over all of its grams. Of a larger one only
the grams whose hash is below a bound are looked at, so few that about `FEW` to twice as many are
left; which those are depends on the grams alone, so what two sets share, their samples share.
The sample is parted by its hashes, and the smallest value that one function has in each part
stands for a function of its own (one permutation hashing: Li, Owen, Zhang, NIPS 2012).

A set is looked up at the level of its own size, so the other side is hashed at every level at
which sets that may be similar enough are found.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evalsuite.similarity.edges import Candidates, cross_candidates
from evalsuite.similarity.minhash import Bands, band_keys
from evalsuite.similarity.tokens import TokenTable, mix, pieces

Rows = NDArray[np.int64]
Keys = NDArray[np.uint32]

FEW = 128
"""Sets below so many grams are not sampled."""
_BANDS_AT_ONCE = 4
"""Bands whose values one function gives: with six rows each, a part has five grams or more."""
_FILTER_BITS = 22


@dataclass(frozen=True)
class Sketches:
    """Sets ready to be looked up."""

    sizes: Rows
    """Distinct grams of each set, shape (sets,)."""
    keys: Keys
    """Keys of each set at the level of its size, shape (bands, sets); of an empty set, nothing."""

    @classmethod
    def of(cls, grams: TokenTable, bands: Bands) -> Sketches:
        """Sketch sets of distinct 32-bit hashes, sorted in each set."""
        sizes, level = grams.lengths, _levels(grams.lengths)
        keys = np.zeros((bands.count, sizes.size), np.uint32)
        for one in np.unique(level[sizes > 0]).tolist():
            places = np.flatnonzero((level == one) & (sizes > 0))
            keys[:, places] = _keys_at(grams.take(places), one, bands)
        return cls(sizes, keys)

    def take(self, places: Rows) -> Sketches:
        """Return some of the sets."""
        return Sketches(self.sizes[places], self.keys[:, places])


def joined_sketches(parts: list[Sketches], bands: Bands) -> Sketches:
    """Return the sets of several, in their order."""
    keys = [np.empty((bands.count, 0), np.uint32), *(part.keys for part in parts)]
    sizes = [np.empty(0, np.int64), *(part.sizes for part in parts)]
    return Sketches(np.concatenate(sizes), np.concatenate(keys, axis=1))


def candidates_among(
    rows: Sketches, items: TokenTable, bands: Bands, threshold: float
) -> Candidates:
    """Return pairs (set of `rows`, set of `items`) that may have this Jaccard similarity.

    Args:
        rows: the larger side.
        items: distinct 32-bit hashes of the other, sorted in each set.
        bands: those of `rows`.
        threshold: least Jaccard similarity; pairs whose sizes alone rule it out are left out.
    """
    sizes, level = items.lengths, _levels(rows.sizes)
    firsts, seconds, capped = [np.empty(0, np.int64)], [np.empty(0, np.int64)], 0
    for one in np.unique(level[rows.sizes > 0]).tolist():
        least, most = (FEW << (one - 1), FEW << one) if one else (1, FEW)
        theirs = np.flatnonzero((sizes > 0) & (sizes >= threshold * least - 1))
        theirs = theirs[threshold * sizes[theirs] <= most]
        mine = np.flatnonzero((level == one) & (rows.sizes > 0))
        if not theirs.size:
            continue
        keys = _keys_at(items.take(theirs), one, bands)
        mine = mine[_may_share(rows.keys, mine, keys)]
        found = cross_candidates(rows.keys[:, mine].astype("u8"), keys.astype("u8"))
        firsts.append(mine[found.first])
        seconds.append(theirs[found.second])
        capped += found.capped_rows
    first, second = np.concatenate(firsts), np.concatenate(seconds)
    two = rows.sizes[first], sizes[second]
    # One more: two grams may have one hash.
    fits = np.minimum(*two) + 1 >= threshold * np.maximum(*two)
    first, second = first[fits], second[fits]
    order = np.lexsort((second, first))
    return Candidates(first[order], second[order], capped)


def _levels(sizes: Rows) -> Rows:
    """Return how often the grams of a set of this size are halved, plus one; 0 below `FEW`."""
    return np.asarray(np.frexp(np.maximum(sizes, 1) // FEW)[1], np.int64)


def _keys_at(grams: TokenTable, level: int, bands: Bands) -> Keys:
    if not level:
        return _short(band_keys(grams, 1, bands))
    keys = [np.empty((bands.count, 0), np.uint32)]
    for begin, end in pieces(grams):
        keys.append(_sampled(grams.take(np.arange(begin, end)), level, bands))
    return np.concatenate(keys, axis=1)


def _sampled(grams: TokenTable, level: int, bands: Bands) -> Keys:
    at_once = _BANDS_AT_ONCE if bands.count % _BANDS_AT_ONCE == 0 else 1
    parts = at_once * bands.rows
    sampled = grams.hashes < np.uint64(1 << (33 - level))
    hashes = grams.hashes[sampled]
    row = np.repeat(np.arange(len(grams)), grams.lengths)[sampled]
    part = ((hashes << np.uint64(level - 1)) * np.uint64(parts)) >> np.uint64(32)
    place = row * parts + part.astype(np.int64)
    heads = np.flatnonzero(np.concatenate([[True], place[1:] != place[:-1]])[: place.size])
    passes = bands.count // at_once
    least = np.full((passes, len(grams) * parts), 0xFFFFFFFF, np.uint32)
    values, scratch = hashes.astype(np.uint32), np.empty(hashes.size, np.uint32)
    factors, summands = bands.functions()
    for number in range(passes if heads.size else 0):
        np.multiply(values, factors[number], out=scratch)
        np.add(scratch, summands[number], out=scratch)
        least[number, place[heads]] = np.minimum.reduceat(scratch, heads)
    # Shape (passes, sets, bands at once, functions) to (functions, bands, sets).
    smallest = least.reshape(passes, len(grams), at_once, bands.rows).transpose(3, 0, 2, 1)
    keys = np.empty((bands.count, len(grams)), np.uint64)
    keys[:] = np.arange(1, bands.count + 1, dtype=np.uint64)[:, None]
    for values_of_one in smallest.reshape(bands.rows, bands.count, len(grams)):
        keys = mix(keys ^ values_of_one)
    return _short(keys)


def _short(keys: NDArray[np.uint64]) -> Keys:
    return (keys >> np.uint64(32)).astype(np.uint32)


def _may_share(keys: Keys, mine: Rows, others: Keys) -> NDArray[np.bool_]:
    """Return which of `mine` have a key whose highest bits are those of one of the others."""
    out = np.zeros(mine.size, bool)
    shift = np.uint32(32 - _FILTER_BITS)
    for one, other in zip(keys, others, strict=True):
        known = np.zeros(1 << _FILTER_BITS, bool)
        known[other >> shift] = True
        out |= known[one[mine] >> shift]
    return out
