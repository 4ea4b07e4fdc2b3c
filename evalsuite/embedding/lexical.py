"""Vectors of words weighted by rarity: no model, no meaning, and called lexical for it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from evalsuite.embedding.embedder import Floats, unit_length
from evalsuite.similarity.shingles import unique_per_row
from evalsuite.similarity.tokens import TokenTable, mix, tokenise
from evalsuite.similarity.verify import Weights

DIMENSIONS = 512
"""The cosine of two texts is off by 0.04 (one standard deviation), because words share places."""


@dataclass(frozen=True)
class Lexical:
    """Hashed TF-IDF: (1 + ln tf) * idf of each word, at a place and with a sign that are hashes of
    the word (Weinberger et al. 2009, arXiv 0902.2206)."""

    weights: Weights
    """How rare each word is, in the texts that it was learnt from."""
    name: str = "lexical"
    semantic: bool = False
    dimensions: int = DIMENSIONS
    max_tokens: int | None = None

    @classmethod
    def learn(cls, table: TokenTable) -> Lexical:
        """Learn how rare words are from the tokens of all texts."""
        return cls(Weights.learn(unique_per_row(table)))

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the weights: of other texts other vectors come."""
        return hashlib.sha256(b"lexical\n" + self.weights.table.tobytes()).hexdigest()

    def encode(self, texts: Sequence[str]) -> Floats:
        """Return one vector for each text, shape (texts, 512); see `Embedder`."""
        # A text without words is one token, itself; one of white space has nothing at all.
        filled = [text if text.strip() else "" for text in texts]
        return unit_length(self.hashed(tokenise(pl.Series(filled, dtype=pl.String))))

    def hashed(self, table: TokenTable) -> NDArray[np.float64]:
        """Return the vector of each row of tokens, shape (rows, 512), of any length."""
        rows = np.repeat(np.arange(len(table), dtype=np.uint64), table.lengths)
        # As in `unique_per_row`, whose hashes the weights are of; here with the number of each.
        short = (mix(table.hashes) >> np.uint64(24)) & ~np.uint64(1)
        keys = (rows << np.uint64(40)) | short | (table.hashes & np.uint64(1))
        words, times = np.unique(keys, return_counts=True)
        hashes = words & np.uint64((1 << 40) - 1)
        weight = (1 + np.log(times)) * np.sqrt(self.weights.of(hashes))
        scattered = mix(hashes)
        weight[(scattered >> np.uint64(63)) == 1] *= -1
        place = (words >> np.uint64(40)) * np.uint64(DIMENSIONS) + scattered % np.uint64(DIMENSIONS)
        size = len(table) * DIMENSIONS
        flat = np.bincount(place.astype(np.int64), weights=weight, minlength=size)
        return np.asarray(flat, np.float64).reshape(len(table), DIMENSIONS)
