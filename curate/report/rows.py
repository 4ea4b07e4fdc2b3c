"""The few rows whose texts are shown, fetched by id in one pass over each frame."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from curate.phrases import phrase
from curate.pipeline import Curated
from curate.report.excerpt import READ_AT_MOST
from curate.texts import TYPES, shown_answer, shown_prompt, with_images_told


@dataclass(frozen=True)
class ShownRow:
    """A row as it is shown."""

    id: str
    place: str
    """`FILE:ROW`."""
    state: str
    """`kept in train`, or at which step it was dropped."""
    asks: str
    says: str


def kept_rows(curated: Curated, ids: Iterable[str]) -> dict[str, ShownRow]:
    """Return those of the rows that are kept, by id."""
    state = phrase("kept in {}", "split")
    return _rows(curated.kept, set(ids), curated.type, state)


def dropped_rows(curated: Curated, ids: Iterable[str]) -> dict[str, ShownRow]:
    """Return those of the rows that were dropped, by id."""
    state = phrase("dropped at {}", "step")
    return _rows(curated.dropped.lazy(), set(ids), curated.type, state)


def rows_before(frame: pl.LazyFrame, kind: str, ids: Iterable[str]) -> dict[str, ShownRow]:
    """Return rows as they were read, by id."""
    return _rows(frame, set(ids), kind, pl.lit("as it was read"))


def _rows(frame: pl.LazyFrame, ids: set[str], kind: str, state: pl.Expr) -> dict[str, ShownRow]:
    if not ids or not {*TYPES[kind].all} <= {*frame.collect_schema().names()}:
        return {}
    found = (
        frame.filter(pl.col("id").is_in(list(ids)))
        .select(
            "id",
            phrase("{}:{}", "source", pl.col("row").fill_null(0)).alias("place"),
            state.alias("state"),
            _cut(shown_prompt(kind)).alias("asks"),
            _cut(shown_answer(kind)).alias("says"),
        )
        .collect()
    )
    return {row[0]: ShownRow(*row) for row in found.iter_rows()}


def _cut(text: pl.Expr) -> pl.Expr:
    return with_images_told(text).str.slice(0, READ_AT_MOST).fill_null("")
