"""The vectors of a dataset's rows, computed a block at a time and never twice."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import polars as pl
import polars_hash as plh
from numpy.typing import NDArray

from curate.embedding.cache import VectorCache, keys_of
from curate.embedding.configs import Part
from curate.embedding.room import room_for, vectors_directory
from curate.frame import ROW
from curate.steps.base import StepContext
from curate.steps.selection.vectors import Vectors, lexical, whole_numbers
from curate.texts import answer_text, prompt_text
from evalsuite.embedding import Embedder, open_embedder

Rows = NDArray[np.int64]
LEXICAL = "lexical"
_BATCH = 512
"""Texts that are embedded between two looks at the clock and at a signal."""
_SHARD_SECONDS = 60.0
"""A kill costs at most what was computed in this time."""


@dataclass(frozen=True)
class Embedded:
    """The vectors of some rows, and what made them."""

    vectors: Vectors
    name: str
    """Of the embedder; `lexical` for words alone."""
    semantic: bool
    notes: tuple[str, ...] = ()
    """What a person should know of them."""

    @property
    def told(self) -> str:
        """What kind of vectors these are, in words."""
        return f"vectors of {self.name}" if self.semantic else "lexical vectors"


def embedded(rows: Rows, embedder: str, text: Part, context: StepContext) -> Embedded:
    """Return one vector for each of `rows`, in their order.

    Args:
        rows: positions, ascending.
        embedder: `lexical`, a folder or a hub name.
        text: what of a row is embedded.
        context: knows all rows; is told how far it is.

    Raises:
        ModelError: the embedder cannot be loaded.
    """
    if embedder == LEXICAL:
        vectors = lexical(context, rows, "both" if text == "whole" else text)
        return Embedded(vectors, LEXICAL, False, _blank(vectors, "no words to compare"))
    context.tell(f"loading the embedder {embedder}")
    opened = open_embedder(embedder, context.base_dir)
    vectors = _Embedding(opened, context, part_text(context.type, text)).of(rows)
    notes = _blank(vectors, f"nothing that {opened.name} knows")
    if opened.max_tokens is not None:
        notes += (f"{opened.name} reads the first {opened.max_tokens:,} tokens of a text.",)
    return Embedded(vectors, opened.name, opened.semantic, notes)


def part_text(kind: str, text: Part) -> pl.Expr:
    """Return what of a row is embedded; of plain text always the whole."""
    if kind == "text" or text == "prompt":
        return prompt_text(kind)
    if text == "answer":
        return answer_text(kind)
    return pl.concat_str(prompt_text(kind), answer_text(kind), separator="\n\n")


def _blank(vectors: Vectors, why: str) -> tuple[str, ...]:
    blank = int((vectors.norms() == 0).sum())
    have = "row has" if blank == 1 else "rows have"
    return (f"{blank:,} {have} {why}.",) if blank else ()


class _Embedding:
    """Goes through the rows and embeds each text that is not known yet."""

    def __init__(self, embedder: Embedder, context: StepContext, text: pl.Expr) -> None:
        self.embedder = embedder
        self.context = context
        self.text = text
        self.cache = VectorCache.open(context.workspace, embedder)

    def of(self, rows: Rows) -> Vectors:
        place = vectors_directory(self.context.workspace)
        values = room_for(rows.size, self.embedder.dimensions, place)
        wanted = pl.DataFrame({ROW: rows}).lazy()
        done = 0
        for block in self.context.in_blocks():
            here = block.join(wanted, on=ROW, how="semi", maintain_order="left").sort(ROW)
            texts = here.select(self.text.alias("text")).collect()
            hashed = texts.select(plh.col("text").chash.sha2_256().str.slice(0, 32))["text"]
            keys = keys_of(hashed.to_list())
            self._embed_missing(texts["text"], keys, done, rows.size)
            values[done : done + keys.size] = self.cache.take(self.cache.find(keys))
            done += keys.size
        return Vectors(values)

    def _embed_missing(
        self, texts: pl.Series, keys: NDArray[np.bytes_], done: int, of: int
    ) -> None:
        first = np.unique(keys, return_index=True)[1]
        missing = np.sort(first[self.cache.find(keys[first]) < 0])
        waiting: list[NDArray[np.int16]] = []
        begun, begin = time.monotonic(), 0
        for end in range(_BATCH, missing.size + _BATCH, _BATCH):
            self.context.check_stop()
            some = missing[end - _BATCH : end]
            waiting.append(whole_numbers(self.embedder.encode(texts.gather(some).to_list())))
            last = end >= missing.size
            if last or time.monotonic() - begun > _SHARD_SECONDS:
                self.cache.add(keys[missing[begin:end]], np.concatenate(waiting))
                waiting, begun, begin = [], time.monotonic(), end
                at = done + (keys.size if last else int(some[-1]))
                self.context.tell(f"embedding with {self.embedder.name}: {at:,} of {of:,} rows")
