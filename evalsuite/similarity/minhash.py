"""MinHash band keys: rows that share one are candidates, never yet duplicates.

A row's signature holds the smallest value of each of `bands * rows` random permutations over its
shingles; two rows with Jaccard similarity J agree in one function with probability J, and share at
least one band with probability 1 - (1 - J^rows)^bands (Leskovec, Rajaraman, Ullman: Mining of
Massive Datasets, 3.4). The bands are wide open on purpose (48 x 2: J = .3 is found 989 times in
1000), because every candidate is verified afterwards; text that has nothing in common has J ≈ 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import polars as pl
from numpy.typing import NDArray

from evalsuite.similarity import kernel
from evalsuite.similarity.kernel import in_threads, library
from evalsuite.similarity.shingles import multipliers, shingles
from evalsuite.similarity.tokens import (
    Hashes,
    Tokens,
    TokenTable,
    mix,
    sequence_hashes,
    sides,
)

_BLOCK_TOKENS = 1 << 16  # what stays in the second-level cache while every function runs over it
_LEAST_COLUMNS = 32
_COMPILED_ROWS = 2_048
_TICK_BLOCKS = 4


@dataclass(frozen=True)
class Bands:
    """How many bands of how many functions each."""

    count: int = 48
    rows: int = 2
    seed: int = 42

    def functions(self) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
        """Return the factors (odd) and summands of `a * x + b` in wrapping 32-bit arithmetic."""
        random = np.random.default_rng(self.seed)
        size = self.count * self.rows
        factors = random.integers(0, 1 << 32, size, dtype=np.uint32) | np.uint32(1)
        return factors, random.integers(0, 1 << 32, size, dtype=np.uint32)


def band_keys(
    table: Tokens,
    shingle: int,
    bands: Bands,
    tick: Callable[[int, int, str], None] = lambda done, total, what: None,
) -> Hashes:
    """Return the band keys of every row, shape (bands, rows). Every row must have a token.

    Rows of about one length are hashed together; signatures are folded into keys block by block
    and never kept.
    """
    if library() is not None:
        return _compiled_keys(table, shingle, bands, tick)
    lengths = table.lengths
    order = np.argsort(lengths, kind="stable")
    keys = np.empty((bands.count, len(table)), np.uint64)
    for begin, end in pairwise(_cuts(lengths[order])):
        tick(begin, len(table), "rows indexed")
        rows = order[begin:end]
        keys[:, rows] = _keys_of(shingles(table.take(rows), shingle), bands)
    return keys


def _compiled_keys(
    table: Tokens, shingle: int, bands: Bands, tick: Callable[[int, int, str], None]
) -> Hashes:
    """Return `band_keys`, from the kernel."""
    tables, rows = sides(table)
    lengths = table.lengths
    factors, _ = bands.functions()
    keys = np.empty((bands.count, len(table)), np.uint64)

    def block(begin: int) -> None:
        some = slice(begin, begin + _COMPILED_ROWS)
        whole = np.zeros(lengths[some].size, np.uint64)
        short = np.flatnonzero(lengths[some] < shingle)
        whole[short] = sequence_hashes(table.take(short + begin))
        kernel.band_keys(
            tables,
            rows[some],
            lengths[some],
            whole,
            multipliers(shingle),
            factors,
            keys[:, some],
        )

    begins = range(0, len(table), _COMPILED_ROWS)
    at_once = pl.thread_pool_size() * _TICK_BLOCKS
    for begin in range(0, len(begins), at_once):
        tick(begins[begin], len(table), "rows indexed")
        in_threads(block, begins[begin : begin + at_once])
    return keys


def _cuts(lengths: NDArray[np.int64]) -> list[int]:
    """Return where to cut rows of ascending lengths into blocks of about `_BLOCK_TOKENS`."""
    ends = np.cumsum(lengths)
    cuts = [0]
    while cuts[-1] < lengths.size:
        done = ends[cuts[-1] - 1] if cuts[-1] else 0
        fits = int(np.searchsorted(ends, done + _BLOCK_TOKENS, "right"))
        cuts.append(max(cuts[-1] + 1, fits))
    return cuts


def _keys_of(grams: TokenTable, bands: Bands) -> Hashes:
    """Return the band keys of a block of rows, shape (bands, rows)."""
    values, heads = _side_by_side(grams)
    scratch = np.empty_like(values)
    factors, _ = bands.functions()
    # The largest value of a permutation is the smallest of the one that counts the other way
    # round, so each gives two; the shingles are hashes already and need no summand.
    ends = np.empty((factors.size + 1 & ~1, len(grams)), np.uint32)
    for function in range(0, factors.size, 2):
        np.multiply(values, factors[function], out=scratch)
        for end, extreme in enumerate((np.minimum, np.maximum)):
            if heads is None:
                extreme.reduce(scratch, axis=0, out=ends[function + end])
            else:
                extreme.reduceat(scratch, heads, out=ends[function + end])
    ends = ends[: factors.size]
    keys = np.empty((bands.count, len(grams)), np.uint64)
    keys[:] = np.arange(1, bands.count + 1, dtype=np.uint64)[:, None]
    for function in range(bands.rows):
        keys = mix(keys ^ ends[function :: bands.rows])
    return keys


def _side_by_side(grams: TokenTable) -> tuple[NDArray[np.uint32], NDArray[np.int64] | None]:
    """Return 32 bits of each shingle: one column a row, so that minima are taken of many at once.

    A row shorter than the longest has its first shingle again, which changes no minimum. Where few
    rows are very long, all shingles stay in one line, with the place where each row begins.
    """
    values = (grams.hashes >> np.uint64(32)).astype(np.uint32)
    lengths = grams.lengths
    longest = int(lengths.max())
    if longest * lengths.size > 1.25 * values.size or lengths.size < _LEAST_COLUMNS:
        return values, grams.offsets[:-1]
    place = np.arange(longest)[:, None] * (np.arange(longest)[:, None] < lengths)
    return values[place + grams.offsets[:-1]], None
