"""MinHash band keys: rows that share one are candidates, never yet duplicates.

A row's signature holds the smallest value of each of `bands * rows` random functions over its
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
from numpy.typing import NDArray

from evalsuite.similarity.shingles import shingles
from evalsuite.similarity.tokens import Hashes, TokenTable, mix

_BLOCK_TOKENS = 1 << 16  # what stays in the second-level cache while every function runs over it


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


def _cuts(offsets: NDArray[np.int64]) -> list[int]:
    """Return row numbers that cut the table into blocks of about `_BLOCK_TOKENS` tokens."""
    cuts, rows = [0], offsets.size - 1
    while cuts[-1] < rows:
        fits = int(np.searchsorted(offsets, offsets[cuts[-1]] + _BLOCK_TOKENS, "right")) - 1
        cuts.append(min(rows, max(cuts[-1] + 1, fits)))
    return cuts


def band_keys(
    table: TokenTable,
    shingle: int,
    bands: Bands,
    tick: Callable[[int, int, str], None] = lambda done, total, what: None,
) -> Hashes:
    """Return the band keys of every row, shape (bands, rows). Every row must have a token.

    Signatures are folded into keys block by block and never kept.
    """
    factors, summands = bands.functions()
    keys = np.empty((bands.count, len(table)), np.uint64)
    cuts = _cuts(table.offsets)
    for begin, end in pairwise(cuts):
        tick(begin, len(table), "rows indexed")
        grams = shingles(table.take(np.arange(begin, end)), shingle)
        values = (grams.hashes >> np.uint64(32)).astype(np.uint32)
        scratch = np.empty_like(values)
        for band in range(bands.count):
            key = np.full(end - begin, band + 1, np.uint64)
            for function in range(band * bands.rows, (band + 1) * bands.rows):
                np.multiply(values, factors[function], out=scratch)
                np.add(scratch, summands[function], out=scratch)
                smallest = np.minimum.reduceat(scratch, grams.offsets[:-1])
                key = mix(key ^ smallest)
            keys[band, begin:end] = key
    return keys
