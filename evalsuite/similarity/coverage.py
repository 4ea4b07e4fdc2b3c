"""Which rows hold an evaluation item: contained n-grams, weighted, with the longest run.

The item is what must be covered, not the row: a row may be long and the item a part of it. An
n-gram that many rows or items share (an instruction before every question) weighs little, as in
the SIMPLE score of allenai/decon; the longest run is shown because it predicts best whether a
contaminated item is answered from memory (ConTAM, arXiv 2411.03923).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evalsuite.similarity.shingles import shingles, windows_at
from evalsuite.similarity.tokens import Hashes, TokenTable, pieces, starts
from evalsuite.similarity.verify import PRIOR_ROWS, PRIOR_SHARE

Rows = NDArray[np.int64]
Scores = NDArray[np.float64]

_FILTER_BITS = 24
COMMON_ITEMS = 64
"""An n-gram in more items than this is boilerplate of the evaluation and counts for nothing."""


@dataclass(frozen=True)
class Coverage:
    """Pairs of a row and an item of which it holds at least one n-gram."""

    row: Rows
    item: Rows
    share: Scores
    """Weighted share of the item's n-grams that the row holds, 0 to 1."""
    run: Rows
    """Longest run of the item's tokens that the row holds."""


@dataclass(frozen=True)
class _Grams:
    """The n-grams of the items, each with the places where it stands."""

    hashes: Hashes
    """Distinct, sorted, shape (grams,)."""
    item: Rows
    """Item of each place, sorted by gram, then item, then position, shape (places,)."""
    position: Rows
    offsets: Rows
    """Where the places of each gram begin, shape (grams + 1,)."""
    items_with: Rows
    """In how many items each gram is, shape (grams,)."""

    @classmethod
    def of(cls, items: TokenTable, n: int) -> _Grams:
        long = np.flatnonzero(items.lengths >= n)
        table = shingles(items.take(long), n)
        item = np.repeat(long, table.lengths)
        position = np.arange(item.size) - np.repeat(table.offsets[:-1], table.lengths)
        hashes, gram = np.unique(table.hashes, return_inverse=True)
        order = np.lexsort((position, item, gram))
        gram, item, position = gram[order], item[order], position[order]
        new_item = np.ones(gram.size, bool)
        new_item[1:] = (gram[1:] != gram[:-1]) | (item[1:] != item[:-1])
        return cls(
            hashes,
            item,
            position,
            starts(np.bincount(gram, minlength=hashes.size)),
            np.bincount(gram[new_item], minlength=hashes.size),
        )


def _hits(rows: TokenTable, items: TokenTable, n: int, grams: _Grams) -> tuple[Rows, Rows]:
    """Return the distinct pairs (row, number of a gram that it holds)."""
    known = _known_pairs(items)
    found = [np.empty(0, np.uint64)]
    for begin, end in pieces(rows):
        low, high = int(rows.offsets[begin]), int(rows.offsets[end])
        hashes = rows.hashes[low:high]
        place = _where_all_known(hashes, n, known)
        row = np.searchsorted(rows.offsets, place + low, "right") - 1
        whole = place + low + n <= rows.offsets[row + 1]
        place, row = place[whole], row[whole]
        window = windows_at(hashes, place, n)
        gram = np.minimum(np.searchsorted(grams.hashes, window), grams.hashes.size - 1)
        sure = grams.hashes[gram] == window
        found.append(np.unique(row[sure].astype("u8") << np.uint64(32) | gram[sure].astype("u8")))
    pairs = np.concatenate(found)
    return (pairs >> np.uint64(32)).astype(np.int64), (pairs & np.uint64(2**32 - 1)).astype("i8")


def _pair_bits(hashes: Hashes) -> Rows:
    """Return a number below `2**_FILTER_BITS` for every two neighbouring tokens."""
    both = hashes[:-1] * np.uint64(0x9E3779B97F4A7C15)
    both += hashes[1:]
    both *= np.uint64(0xC2B2AE3D27D4EB4F)
    both >>= np.uint64(64 - _FILTER_BITS)
    return both.astype(np.int64)


def _known_pairs(items: TokenTable) -> NDArray[np.bool_]:
    """Return which numbers of two neighbouring tokens occur in the items."""
    known = np.zeros(1 << _FILTER_BITS, bool)
    known[_pair_bits(items.hashes)] = True
    return known


def _where_all_known(hashes: Hashes, n: int, known: NDArray[np.bool_]) -> Rows:
    """Return where runs of n tokens begin of which every two neighbours occur in the items."""
    if hashes.size < n:
        return np.empty(0, np.int64)
    if n == 1:
        return np.arange(hashes.size)
    pairs = known[_pair_bits(hashes)]
    runs = pairs[: pairs.size - n + 2].copy()
    for step in range(1, n - 1):
        runs &= pairs[step : step + runs.size]
    return np.flatnonzero(runs)


def cover(rows: TokenTable, items: TokenTable, n: int, least: float) -> Coverage:
    """Return the rows that hold at least `least` of an item's n-grams.

    Args:
        rows: tokens of the rows, prompt and answer.
        items: tokens of the items; those shorter than `n` are passed over.
        n: tokens in an n-gram.
        least: least weighted share.
    """
    grams = _Grams.of(items, n)
    nothing = np.empty(0, np.int64)
    if not grams.hashes.size:
        return Coverage(nothing, nothing, np.empty(0), nothing)
    row, gram = _hits(rows, items, n, grams)
    rows_with = np.bincount(gram, minlength=grams.hashes.size)
    # With few rows nothing is known about what is common: the prior holds the weights together.
    texts = len(rows) + len(items) + PRIOR_ROWS
    weight = np.log1p(texts / (rows_with + grams.items_with + PRIOR_ROWS * PRIOR_SHARE))
    weight[grams.items_with > COMMON_ITEMS] = 0.0
    places = np.diff(grams.offsets)
    total = np.bincount(grams.item, np.repeat(weight, places), len(items)).astype(np.float64)
    useful = weight[gram] > 0
    row, gram = row[useful], gram[useful]
    count = places[gram]
    step = np.arange(count.sum()) - np.repeat(starts(count)[:-1], count)
    place = np.repeat(grams.offsets[:-1][gram], count) + step
    pair_row, pair_item = np.repeat(row, count), grams.item[place]
    return _summed(
        pair_row, pair_item, grams.position[place], np.repeat(weight[gram], count), total, n, least
    )


def _summed(
    row: Rows, item: Rows, position: Rows, weight: Scores, total: Scores, n: int, least: float
) -> Coverage:
    order = np.lexsort((position, item, row))
    row, item, position, weight = row[order], item[order], position[order], weight[order]
    new = np.ones(row.size, bool)
    new[1:] = (row[1:] != row[:-1]) | (item[1:] != item[:-1])
    pair = np.cumsum(new) - 1
    share = np.bincount(pair, weight) / total[item[new]] if row.size else np.empty(0)
    run = _longest_runs(pair, position, new) + n - 1 if row.size else np.empty(0, np.int64)
    good = share >= least - 1e-9
    return Coverage(row[new][good], item[new][good], share[good], run[good])


def _longest_runs(pair: Rows, position: Rows, new: NDArray[np.bool_]) -> Rows:
    """Return for each pair the most places that follow each other without a gap."""
    broken = new.copy()
    broken[1:] |= position[1:] != position[:-1] + 1
    heads = np.flatnonzero(broken)
    lengths = np.diff(np.append(heads, position.size))
    longest = np.zeros(int(pair[-1]) + 1, np.int64)
    np.maximum.at(longest, pair[heads], lengths)
    return longest
