"""Candidate pairs from rows that share a band key."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evalsuite.similarity.tokens import Hashes

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Candidates:
    """Pairs of rows worth comparing, `first < second`, each once."""

    first: Rows
    second: Rows
    capped_rows: int
    """Rows in buckets too full to pair every row with every other (template families)."""

    @property
    def size(self) -> int:
        """Number of pairs."""
        return self.first.size


def _bucket_pairs(keys: Hashes, rows: Rows, full: int) -> tuple[Hashes, int]:
    """Return the pairs of one band, each as `first << 32 | second`, and the rows capped.

    A bucket of up to `full` rows gives all its pairs; a larger one pairs each row with the first
    of the bucket and with the one before it.
    """
    order = np.lexsort((rows, keys))
    keys, rows = keys[order], rows[order].astype(np.uint64)
    heads = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
    sizes = np.diff(np.append(heads, keys.size))
    size, head = np.repeat(sizes, sizes), np.repeat(heads, sizes)
    position = np.arange(keys.size)
    large = size > full
    star = position[large & (position > head)]
    pairs = [rows[head[star]] << np.uint64(32) | rows[star]]
    for distance in range(1, full):
        near = position - head >= distance
        later = position[near if distance == 1 else near & ~large]
        if later.size:
            pairs.append(rows[later - distance] << np.uint64(32) | rows[later])
    return np.concatenate(pairs), int(np.count_nonzero(large))


def _distinct(pairs: Hashes) -> Hashes:
    """Return the distinct pairs, sorted.

    `np.unique` would hash them by their low bits, which pairs with one and the same row share.
    """
    pairs = np.sort(pairs)
    first = np.ones(pairs.size, bool)
    first[1:] = pairs[1:] != pairs[:-1]
    return np.asarray(pairs[first])


def _shared(band: Hashes) -> Rows:
    """Return the rows whose key may be another row's as well, ascending.

    A key and its row are sorted as one number, so few bits of the key are left: a row too many is
    found now and then, never one too few.
    """
    rows = np.arange(band.size, dtype=np.uint64)
    bits = np.uint64(max(band.size - 1, 1).bit_length())
    packed = band >> bits << bits | rows
    packed.sort()
    equal = packed[1:] >> bits == packed[:-1] >> bits
    either = np.zeros(band.size, bool)
    either[1:] |= equal
    either[:-1] |= equal
    return np.sort((packed[either] & ((np.uint64(1) << bits) - np.uint64(1))).astype(np.int64))


def candidates(
    keys: Hashes,
    full: int = 32,
    tick: Callable[[int, int, str], None] = lambda done, total, what: None,
) -> Candidates:
    """Return the pairs of rows that share a band key.

    Args:
        keys: band keys, shape (bands, rows).
        full: largest bucket of which all pairs are taken.
        tick: told bands done, of how many, and what they are.
    """
    found = np.empty(0, np.uint64)
    waiting: list[Hashes] = []
    capped = 0
    for number, band in enumerate(keys):
        tick(number, len(keys), "bands sorted")
        shared = _shared(band)
        if shared.size:
            pairs, full_rows = _bucket_pairs(band[shared], shared, full)
            waiting.append(_distinct(pairs))
            capped = max(capped, full_rows)
        if sum(part.size for part in waiting) > 4_000_000:
            found, waiting = _distinct(np.concatenate([found, *waiting])), []
    found = _distinct(np.concatenate([found, *waiting]))
    return Candidates(
        (found >> np.uint64(32)).astype(np.int64),
        (found & np.uint64(0xFFFFFFFF)).astype(np.int64),
        capped,
    )


def all_pairs(rows: int) -> Candidates:
    """Return every pair of `rows` rows: for corpora so small that nothing need be missed."""
    first, second = np.triu_indices(rows, 1)
    return Candidates(first.astype(np.int64), second.astype(np.int64), 0)


def cross_candidates(left: Hashes, right: Hashes, full: int = 64) -> Candidates:
    """Return the pairs (row of `left`, row of `right`) that share a band key.

    Args:
        left, right: band keys made with the same bands, shape (bands, rows).
        full: of the rows of `right` under one key, at most this many are taken.
    """
    found: list[Hashes] = [np.empty(0, np.uint64)]
    capped = np.zeros(left.shape[1], bool)
    for left_band, right_band in zip(left, right, strict=True):
        order = np.argsort(right_band, kind="stable")
        ordered = right_band[order]
        begin = np.searchsorted(ordered, left_band, "left")
        count = np.searchsorted(ordered, left_band, "right") - begin
        capped |= count > full
        count = np.minimum(count, full)
        rows = np.flatnonzero(count)
        total = int(count.sum())
        step = np.arange(total) - np.repeat(np.cumsum(count[rows]) - count[rows], count[rows])
        partner = order[np.repeat(begin[rows], count[rows]) + step].astype(np.uint64)
        pairs = np.repeat(rows, count[rows]).astype(np.uint64) << np.uint64(32) | partner
        found.append(_distinct(pairs))
    pairs = _distinct(np.concatenate(found))
    return Candidates(
        (pairs >> np.uint64(32)).astype(np.int64),
        (pairs & np.uint64(0xFFFFFFFF)).astype(np.int64),
        int(np.count_nonzero(capped)),
    )
