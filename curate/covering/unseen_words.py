"""Words of the real inputs that no training prompt has."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from evalsuite.similarity.tokens import TokenTable, tokenise, words

_LEAST_INPUTS = 2


@dataclass
class UnseenWords:
    """The words of real inputs, and which of them training has; tables are added block by block."""

    words: list[str]
    """Those that two real inputs or more have, the most frequent first."""
    inputs: NDArray[np.int64]
    """Real inputs with each word."""
    hashes: NDArray[np.uint64]
    seen: NDArray[np.bool_]

    @classmethod
    def of(cls, texts: pl.Series) -> UnseenWords:
        """Count the words of real inputs."""
        counted = (
            pl.DataFrame({"word": words(texts).list.unique()})
            .filter(pl.col("word").list.len() > 0)
            .explode("word")
            .filter(pl.col("word").str.contains(r"\p{L}{2}"))
            .group_by("word")
            .len()
            .filter(pl.col("len") >= _LEAST_INPUTS)
            .sort("len", "word", descending=[True, False])
        )
        table = tokenise(counted["word"])
        single = table.lengths == 1
        kept = counted.filter(pl.Series(single, dtype=pl.Boolean))
        hashes = table.hashes[table.offsets[:-1][single]]
        return cls(
            kept["word"].to_list(),
            kept["len"].to_numpy().astype(np.int64),
            hashes,
            np.zeros(hashes.size, np.bool_),
        )

    def add(self, training: TokenTable) -> None:
        """Mark the words that these training prompts have."""
        self.seen |= np.isin(self.hashes, np.unique(training.hashes))

    def left(self) -> list[tuple[str, int]]:
        """Return the words that no training prompt has and the real inputs with each."""
        return [
            (self.words[place], int(self.inputs[place])) for place in np.flatnonzero(~self.seen)
        ]
