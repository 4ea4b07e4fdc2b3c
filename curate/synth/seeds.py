"""The rows that new ones are made from, one at a time, out of a frame of any dataset type."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from curate.texts import TYPES
from evalsuite.asking.requests import Turn
from workspace.errors import DataError

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Seed:
    """One source row, as generators see it."""

    id: str
    history: tuple[Turn, ...]
    """What comes before the question: a system turn, earlier turns."""
    question: str
    """The last user turn; empty for a row of plain text."""
    answer: str
    """What the assistant says to it; the text for a row of plain text."""
    label: str | None = None
    document: str | None = None
    """The document that the row was made from, where the source names it."""

    @property
    def single(self) -> bool:
        """Whether no user or assistant spoke before the question."""
        return all(turn.role == "system" for turn in self.history)


@dataclass(frozen=True)
class SeedTable:
    """All usable source rows."""

    frame: pl.DataFrame
    """`id`, `history`, `question`, `answer`, `label`, `document`."""
    type: str
    """Dataset type of the source."""
    unusable: int = 0
    """Rows passed over: they use tools, or do not end with a question and its answer."""

    def __len__(self) -> int:
        return self.frame.height

    def __getitem__(self, place: int) -> Seed:
        row = self.frame.row(place, named=True)
        return _seed(row)

    def __iter__(self) -> Iterator[Seed]:
        return (_seed(row) for row in self.frame.iter_rows(named=True))


def _seed(row: dict[str, Any]) -> Seed:
    history = tuple(Turn(turn["role"], turn["content"] or "") for turn in row["history"] or ())
    return Seed(row["id"], history, row["question"], row["answer"], row["label"], row["document"])


def seeds_of(frame: pl.LazyFrame, kind: str) -> SeedTable:
    """Return the rows of a frame that new ones can be made from.

    Args:
        frame: rows of one dataset type, with `id`; `label` and `document` from `meta`, from the
            marks of a curation, or absent.
        kind: the dataset type.
    """
    names = frame.collect_schema().names()
    if "images" in names:
        raise DataError(
            "new rows cannot be made from rows with images",
            cause="Generators work on text alone, and would write about what they cannot see.",
            cure="Name `sources` without images, or with `images: {read: false}`.",
        )
    table = frame.select(
        pl.col("id").cast(pl.String),
        _history(kind).alias("history"),
        _question(kind).fill_null("").alias("question"),
        _answer(kind).fill_null("").alias("answer"),
        _mark(frame, "user_label", "label", kind).alias("label"),
        (pl.col("document") if "document" in names else pl.lit(None, pl.String)).alias("document"),
        (pl.col("tools").is_not_null() if "tools" in names else pl.lit(False)).alias("_tools"),
        _fits(kind, frame).fill_null(False).alias("_fits"),
    )
    held = table.collect()
    good = held.filter(pl.col("_fits") & ~pl.col("_tools")).drop("_fits", "_tools")
    return SeedTable(good, kind, held.height - good.height)


def _mark(frame: pl.LazyFrame, own: str, meta: str, kind: str) -> pl.Expr:
    schema = frame.collect_schema()
    if own in schema:
        return pl.col(own)
    if "meta" in schema and meta in {field.name for field in schema["meta"].fields}:  # type: ignore[attr-defined]
        return pl.col("meta").struct.field(meta)
    if meta in schema and meta not in TYPES[kind].plain:
        return pl.col(meta).cast(pl.String)
    return pl.lit(None, pl.String)


def _turns(kind: str) -> pl.Expr:
    """Return the turns up to and with the question."""
    if kind == "messages":
        return pl.col("messages").list.head(pl.col("messages").list.len() - 1)
    return pl.col("prompt")


def _content(turns: pl.Expr, place: int) -> pl.Expr:
    return turns.list.get(place, null_on_oob=True).struct.field("content")


def _role(turns: pl.Expr, place: int) -> pl.Expr:
    return turns.list.get(place, null_on_oob=True).struct.field("role")


def _history(kind: str) -> pl.Expr:
    turn = pl.Struct({"role": pl.String, "content": pl.String})
    if kind == "text":
        return pl.lit(None, pl.List(turn))
    turns = _turns(kind)
    before = turns.list.head(turns.list.len() - 1)
    fields = pl.struct(pl.element().struct.field("role"), pl.element().struct.field("content"))
    return before.list.eval(fields)


def _question(kind: str) -> pl.Expr:
    return pl.lit("") if kind == "text" else _content(_turns(kind), -1)


def _answer(kind: str) -> pl.Expr:
    if kind in ("text", "answer"):
        return pl.col(TYPES[kind].plain[0])
    column = {"messages": "messages", "preference": "chosen"}.get(kind, "completion")
    return _content(pl.col(column), -1)


def _fits(kind: str, frame: pl.LazyFrame) -> pl.Expr:
    if kind == "text":
        return pl.col("text").str.strip_chars() != ""
    asked = _role(_turns(kind), -1) == "user"
    asked &= _content(_turns(kind), -1).str.strip_chars() != ""
    answered = _answer(kind).str.strip_chars() != ""
    if kind == "messages":
        answered &= _role(pl.col("messages"), -1) == "assistant"
    if kind == "unpaired_preference":
        answered &= pl.col("label")
    for column in TYPES[kind].turns:
        turn: Any = frame.collect_schema()[column]
        if "tool_calls" in {field.name for field in turn.inner.fields}:
            calls = pl.element().struct.field("tool_calls").list.len().fill_null(0) > 0
            answered &= ~pl.col(column).list.eval(calls).list.any()
    return asked & answered
