"""The texts by which rows and evaluation items are compared: each prompt and its parts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from evalsuite.similarity.wrappers import Bare

Rows = NDArray[np.int64]

SHORT_PART = 5
"""A paragraph or line of fewer tokens is not compared on its own."""
_ASKED = r"(?i)^\s*(?:q|question|problem|prompt|instruction|task|input|user|human)\s*:\s*"
SHORT_QUESTION = 3
"""The same of a line that says it is a question, as `Q: …` does."""


@dataclass(frozen=True)
class Probes:
    """Texts to compare: each prompt whole, and its paragraphs."""

    texts: pl.Series
    owner: Rows
    """Which prompt each is of, shape (texts,)."""

    @classmethod
    def of(cls, prompts: pl.Series) -> Probes:
        """Return the prompts, then their paragraphs."""
        whole = pl.DataFrame({"owner": pl.int_range(len(prompts), eager=True), "text": prompts})
        split = whole.filter(pl.col("text").str.contains("\n\n", literal=True))
        parts = split.with_columns(pl.col("text").str.split("\n\n")).explode("text")
        parts = parts.filter(pl.col("text").str.count_matches(r"\w+") >= SHORT_PART)
        both = pl.concat([whole, parts]).unique(maintain_order=True)
        return cls(both["text"], both["owner"].to_numpy().astype(np.int64))

    @classmethod
    def lines(cls, prompts: pl.Series) -> Probes:
        """Return the lines of prompts that have several: where a short item stands by itself."""
        whole = pl.DataFrame({"owner": pl.int_range(len(prompts), eager=True), "text": prompts})
        lines = whole.filter(pl.col("text").str.contains("\n", literal=True))
        lines = lines.with_columns(pl.col("text").str.split("\n")).explode("text")
        asked = pl.col("text").str.contains(_ASKED)
        least = pl.when(asked).then(SHORT_QUESTION).otherwise(SHORT_PART)
        lines = lines.with_columns(pl.col("text").str.replace(_ASKED, ""), least.alias("least"))
        lines = lines.filter(pl.col("text").str.count_matches(r"\w+") >= pl.col("least"))
        both = lines.unique(["owner", "text"], maintain_order=True)
        return cls(both["text"], both["owner"].to_numpy().astype(np.int64))

    def and_bare(self, bared: Bare | None) -> Probes:
        """Return these, then prompts without the template around them."""
        if bared is None or not bared.owner.size:
            return self
        owner = np.concatenate([self.owner, bared.owner])
        return Probes(pl.concat([self.texts, bared.texts.alias(self.texts.name)]), owner)

    def without_common(self, owners: int) -> Probes:
        """Leave out paragraphs of more than a hundredth of the owners: instructions, not items."""
        frame = pl.DataFrame({"text": self.texts, "owner": self.owner})
        shared = pl.col("owner").n_unique().over("text") > max(3, owners // 100)
        first = pl.int_range(pl.len()) < owners
        kept = frame.filter(first | ~shared)
        return Probes(kept["text"], kept["owner"].to_numpy().astype(np.int64))
