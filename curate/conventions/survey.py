"""One pass over the answers, block by block: small numbers are kept of each, and no text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from curate.conventions.aspects import coded, prepared
from curate.conventions.language import languages_of
from curate.conventions.objects import Objects, Path
from curate.frame import ROW
from curate.steps.quality.rules.base import text_columns

Rows = NDArray[np.int64]
Kind = TypeVar("Kind", bound="np.integer")

PHRASE_WORDS = (2, 3, 4)
_PHRASES_A_BLOCK = 30
_LONGEST_LABEL = 60
LETTERS = 50
"""Of answers with fewer letters the language is not told."""


def columns(kind: str) -> list[pl.Expr]:
    """Return what a survey looks at, for `blocks`: the answer that is taught, its source, label."""
    said = next(one for one in text_columns(kind, pl.lit(None)) if one.meta.output_name() == "last")
    return [
        said.alias("said"),
        pl.col("source").fill_null("").alias("source"),
        pl.col("user_label").alias("user_label"),
        _system(kind).alias("system"),
    ]


def _system(kind: str) -> pl.Expr:
    if kind == "text":
        return pl.lit(None, pl.Boolean)
    turns = pl.col("messages" if kind == "messages" else "prompt")
    return turns.list.first().struct.field("role") == "system"


@dataclass
class Survey:
    """What was seen of every row, in the order of the rows."""

    language: bool = True
    """Whether the language of long answers is told, which takes the most time."""
    places: list[Rows] = field(default_factory=list)
    codes: dict[str, list[NDArray[np.int8]]] = field(default_factory=dict)
    lengths: list[NDArray[np.int32]] = field(default_factory=list)
    sources: list[NDArray[np.int32]] = field(default_factory=list)
    source_names: dict[str, int] = field(default_factory=dict)
    phrases: dict[int, list[NDArray[np.uint64]]] = field(default_factory=dict)
    phrase_counts: Counter[tuple[int, str, int]] = field(default_factory=Counter)
    """(words, phrase, its hash) → rows, of the most frequent ones of each block."""
    languages: list[NDArray[np.int16]] = field(default_factory=list)
    language_names: dict[str, int] = field(default_factory=dict)
    systems: list[NDArray[np.int8]] = field(default_factory=list)
    objects: Objects = field(default_factory=Objects)
    answers: Path = field(default_factory=Path)
    labels: Path = field(default_factory=Path)
    count: int = 0

    def add(self, block: pl.DataFrame) -> None:
        """Look at one block with `_row` and the columns of `columns`."""
        trimmed = block["said"].fill_null("").str.strip_chars()
        is_object = self.objects.add(trimmed)
        ready = prepared(block.with_columns(pl.col("said").fill_null(""), is_object))
        self.places.append(block[ROW].to_numpy().astype(np.int64))
        for name, code in coded(ready).items():
            self.codes.setdefault(name, []).append(code.to_numpy().astype(np.int8))
        self.lengths.append(ready["trimmed"].str.len_chars().to_numpy().astype(np.int32))
        self._add_sources(block["source"])
        self._add_phrases(ready)
        self._add_values(ready)
        system = block["system"].cast(pl.Int8).fill_null(-1)
        self.systems.append(system.to_numpy().astype(np.int8))
        if self.language:
            self.languages.append(languages_of(ready["prose"], self.language_names, LETTERS))
        self.count += block.height

    def _add_sources(self, names: pl.Series) -> None:
        for name in names.unique(maintain_order=True).to_list():
            self.source_names.setdefault(name, len(self.source_names))
        numbers = names.replace_strict(self.source_names, return_dtype=pl.Int32)
        self.sources.append(numbers.to_numpy().astype(np.int32))

    def _add_phrases(self, ready: pl.DataFrame) -> None:
        """Keep the hash of the first words of each answer that goes on after them."""
        for words in PHRASE_WORDS:
            pattern = rf"^(\S+(?: \S+){{{words - 1}}})\s"
            first = ready["prose"].str.extract(pattern)
            hashes = first.hash().fill_null(0)
            hashes = pl.select(pl.when(first.is_not_null()).then(hashes).otherwise(0)).to_series()
            self.phrases.setdefault(words, []).append(hashes.to_numpy().astype(np.uint64))
            counted = (
                pl.DataFrame({"phrase": first, "hash": hashes})
                .drop_nulls("phrase")
                .group_by("phrase", "hash")
                .len()
                .sort("len", "phrase", descending=[True, False])
                .head(_PHRASES_A_BLOCK)
            )
            for phrase, digest, rows in counted.iter_rows():
                self.phrase_counts[words, phrase, digest] += rows

    def _add_values(self, ready: pl.DataFrame) -> None:
        for path, name in ((self.answers, "said"), (self.labels, "user_label")):
            if path.values is None:
                continue
            for row, value in enumerate(ready[name].to_list(), self.count):
                if value:
                    path.add(row, value if len(value) <= _LONGEST_LABEL else None)

    def row_numbers(self) -> Rows:
        """Return `_row` of every row seen."""
        return joined(self.places, np.int64)


def joined(parts: Sequence[NDArray[Kind]], kind: type[Kind]) -> NDArray[Kind]:
    """Return what was kept of all blocks as one array."""
    return np.concatenate(parts) if parts else np.empty(0, kind)


def surveyed(blocks: Iterable[pl.DataFrame], *, language: bool = True) -> Survey:
    """Return what is seen of all blocks.

    Args:
        blocks: each with `_row` and the columns of `columns`.
        language: whether to tell the language of long answers.
    """
    survey = Survey(language)
    for block in blocks:
        survey.add(block)
    return survey
