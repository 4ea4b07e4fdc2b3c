"""Runs of n tokens (or characters) of each row, as hashes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evalsuite.similarity import kernel
from evalsuite.similarity.kernel import in_threads, library
from evalsuite.similarity.tokens import (
    Hashes,
    Tokens,
    TokenTable,
    mix,
    sequence_hashes,
    sides,
    starts,
)

_MULTIPLIERS = np.array(
    [
        0x9E3779B97F4A7C15,
        0xC2B2AE3D27D4EB4F,
        0x165667B19E3779F9,
        0x27D4EB2F165667C5,
        0x85EBCA77C2B2AE63,
        0xA24BAED4963EE407,
        0x9FB21C651E98DF25,
        0xD6E8FEB86659FD93,
    ],
    np.uint64,
)


_ROWS_OF_A_THREAD = 8_192
_SORTED_ROWS = 512  # the row number and the hash share one sort key; a block stays in the cache


def multipliers(n: int) -> Hashes:
    """Return what each token of a shingle of n is multiplied with."""
    rounds = np.arange(n, dtype=np.uint64) // np.uint64(8) * np.uint64(2) + np.uint64(1)
    return _MULTIPLIERS[np.arange(n) % 8] * rounds


def _windows(hashes: Hashes, n: int) -> Hashes:
    """Return the hash of every run of n tokens, rows not minded."""
    count = max(hashes.size - n + 1, 0)
    total = np.zeros(count, np.uint64)
    for k, multiplier in enumerate(multipliers(n)):
        total += hashes[k : k + count] * multiplier
    return mix(total)


def windows_at(hashes: Hashes, places: NDArray[np.int64], n: int) -> Hashes:
    """Return the hash of the run of n tokens from each place: that of a shingle."""
    total = np.zeros(places.size, np.uint64)
    for k, multiplier in enumerate(multipliers(n)):
        total += hashes[places + k] * multiplier
    return mix(total)


def shingles(table: TokenTable, n: int) -> TokenTable:
    """Return the n-token shingles of each row; a shorter row is one shingle, the whole of it.

    Args:
        table: token hashes.
        n: tokens in a shingle, at least 1.
    """
    lengths = table.lengths
    counts = np.maximum(lengths - n + 1, 0)
    short = np.flatnonzero((counts == 0) & (lengths > 0))
    every = _windows(table.hashes, n)
    begin = np.repeat(table.offsets[:-1] - starts(counts)[:-1], counts)
    inside = every[np.arange(begin.size) + begin]
    if not short.size:
        return TokenTable(inside, starts(counts))
    whole = _whole(table, short)
    place = starts(counts)[short]
    counts[short] = 1
    return TokenTable(np.insert(inside, place, whole), starts(counts))


def _whole(table: TokenTable, rows: NDArray[np.integer]) -> Hashes:
    """Return one order-dependent hash per row that no window of n tokens shares."""
    return sequence_hashes(table.take(rows))


def unique_per_row(table: TokenTable) -> TokenTable:
    """Return the distinct hashes of each row, sorted, of 40 bits; the lowest stays the class."""
    return unique_of(table, np.arange(len(table)))


def unique_of(table: Tokens, rows: NDArray[np.integer]) -> TokenTable:
    """Return `unique_per_row` of these rows of a table; no more than a block of it is copied."""
    lengths = table.lengths[rows]

    def part(begin: int) -> tuple[Hashes, NDArray[np.int64]]:
        mine = rows[begin : begin + _ROWS_OF_A_THREAD]
        if library() is not None:
            tables, of_tables = sides(table)
            some = lengths[begin : begin + _ROWS_OF_A_THREAD]
            return kernel.distinct(tables, of_tables[mine], some)
        room = int(lengths[begin : begin + _ROWS_OF_A_THREAD].sum())  # at most
        return _unique(table, mine, np.empty(room, np.uint64))

    parts = in_threads(part, range(0, rows.size, _ROWS_OF_A_THREAD))
    if not parts:
        return TokenTable(np.empty(0, np.uint64), np.zeros(1, np.int64))
    return TokenTable(
        np.concatenate([hashes for hashes, _ in parts]),
        starts(np.concatenate([counts for _, counts in parts])),
    )


def _unique(
    table: Tokens, rows: NDArray[np.integer], out: Hashes
) -> tuple[Hashes, NDArray[np.int64]]:
    """Return the distinct hashes of rows, in `out`, and how many each has."""
    counts = np.empty(rows.size, np.int64)
    filled = 0
    for begin in range(0, rows.size, _SORTED_ROWS):
        end = min(begin + _SORTED_ROWS, rows.size)
        some = table.take(rows[begin:end])
        number = np.repeat(np.arange(end - begin, dtype=np.uint64), some.lengths)
        keys = (mix(some.hashes) >> np.uint64(24)) & ~np.uint64(1)
        keys |= number << np.uint64(40)
        keys |= some.hashes & np.uint64(1)
        keys.sort()
        if keys.size:
            keys = keys[np.concatenate([[True], keys[1:] != keys[:-1]])]
        counts[begin:end] = np.bincount(
            (keys >> np.uint64(40)).astype(np.int64), minlength=end - begin
        )
        out[filled : filled + keys.size] = keys & np.uint64((1 << 40) - 1)
        filled += keys.size
    return out[:filled], counts
