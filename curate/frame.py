"""Rows of one dataset type in one file on disk, each with its id: what the steps work on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import polars_hash as plh

from curate.phrases import phrase
from curate.reasons import Reason
from curate.sinking import sink
from curate.texts import TYPES, canonical

if TYPE_CHECKING:
    from curate.formats.parts import Parts

ROW = "_row"
"""Position of a row among all rows of the dataset's type: 0, 1, 2 …"""
IMAGES = "images"
"""The column of a row's images, which is there only if some row has one."""
MARKS = (
    *("source", "row", "user_id", "user_label", "topic"),
    *("document", "conversation", "parents", "quality", "canary"),
)
DROPPED = {
    ROW: pl.Int64,
    "step": pl.String,
    "reason": pl.String,
    "detail": pl.String,
    "duplicate_of": pl.String,
}
NEAREST = {
    "step": pl.String,
    "threshold": pl.Float64,
    "similarity": pl.Float64,
    "dropped": pl.Boolean,
    "row": pl.String,
    "partner": pl.String,
}
"""A pair of rows near a threshold, by their ids: `row` was dropped for `partner`, or both stay."""
SIMILARITIES = {
    "step": pl.String,
    "threshold": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "pairs": pl.Int64,
    "duplicates": pl.Int64,
}
"""How many pairs have a similarity from `low` to below `high`, and of how many answers, numbers and
negations agree too, so that only their similarity decides."""
ALTERED = {name: kind for name, kind in DROPPED.items() if name != "duplicate_of"}
_OF_KIND = {
    "messages": ("messages",),
    "prompt_completion": ("messages",),
    "answer": ("messages",),
    "preference": ("preference",),
    "unpaired_preference": ("unpaired_preference",),
    "text": ("text",),
}


@dataclass(frozen=True)
class BaseFrame:
    """All rows of the dataset's type, before any step."""

    path: Path
    """Parquet: `_row`, `id`, `content_hash`, the columns of the type, `tools`, the marks."""
    type: str
    misfits: pl.DataFrame
    """Rows of other types that could not be converted without loss."""
    held: pl.DataFrame | None = None
    """The rows themselves, where they are few and nobody needs the file: there is none then."""

    def scan(self) -> pl.LazyFrame:
        """Return the rows as a lazy frame."""
        if self.held is not None:
            return self.held.lazy()
        return pl.scan_parquet(self.path, glob=False)


def numbered(rows: Parts, quarantine: Parts) -> tuple[pl.LazyFrame, pl.LazyFrame]:
    """Return the read rows and the quarantined ones, each with its `id`.

    An id is the hash of the raw row and, where equal raw rows exist, which of them it is.
    """
    frames = [parts.scan() for parts in (rows, quarantine)]
    hashes = pl.concat([frame.select("raw_hash") for frame in frames]).collect()
    ids = _numbered_apart(hashes["raw_hash"])
    count = frames[0].select(pl.len()).collect().item()
    parts = []
    for frame, part in ((frames[0], ids[:count]), (frames[1], ids[count:])):
        parts.append(pl.concat([frame, part.to_frame().lazy()], how="horizontal"))
    return parts[0], parts[1]


def _numbered_apart(hashes: pl.Series) -> pl.Series:
    """Return the hashes with `-1`, `-2` … after the second, third … of equal ones."""
    again = hashes.is_duplicated() & ~hashes.is_first_distinct()
    if not again.any():
        return hashes.alias("id")
    repeated = hashes.filter(again).alias("hash").to_frame()
    nth = pl.int_range(1, pl.len() + 1).over("hash").cast(pl.String)
    numbered = repeated.select(pl.concat_str("hash", nth, separator="-")).to_series()
    return hashes.scatter(again.arg_true(), numbered).alias("id")


def choose_type(rows: pl.LazyFrame, wanted: str) -> str:
    """Return the dataset type: the one wanted, or the kind that most rows have."""
    if wanted != "auto":
        return wanted
    kinds = rows.group_by("kind").len().sort("len", "kind", descending=[True, False]).collect()
    return str(kinds["kind"][0])


def _converted(rows: pl.LazyFrame, kind: str) -> pl.LazyFrame:
    turns = pl.col("messages")
    if kind == "prompt_completion":
        return rows.with_columns(
            turns.list.head(turns.list.len() - 1).alias("prompt"),
            turns.list.tail(1).alias("completion"),
        )
    if kind == "answer":
        return rows.with_columns(turns.list.head(turns.list.len() - 1).alias("prompt"))
    return rows


def _fits(kind: str) -> pl.Expr:
    fits = pl.col("kind").is_in(_OF_KIND[kind])
    if kind in ("prompt_completion", "answer"):
        last = pl.col("messages").list.last().struct.field("role")
        fits &= (last == "assistant") & (pl.col("messages").list.len() > 1)
    if kind == "answer":
        fits &= pl.col("answer").is_not_null()
    return fits.fill_null(False)


def build_base(
    rows: pl.LazyFrame,
    kind: str,
    path: Path,
    check: Callable[[], None] = lambda: None,
    *,
    hold: bool = False,
) -> BaseFrame:
    """Write the rows of a type to one Parquet file and set the others apart.

    Args:
        rows: from `numbered`.
        kind: the dataset type.
        path: where the file goes.
        check: called now and then; what it raises ends the work.
        hold: keep the rows in memory instead.
    """
    fits = _fits(kind)
    misfits = (
        rows.filter(~fits)
        .select(
            "id",
            "source",
            "row",
            pl.lit("normalise").alias("step"),
            pl.lit(Reason.TYPE.value).alias("reason"),
            phrase(
                "{}:{}: a row of type {} in a dataset of type {}",
                "source",
                "row",
                "kind",
                pl.lit(kind),
            ).alias("detail"),
        )
        .collect()
    )
    typed = _converted(rows.filter(fits), kind).with_row_index(ROW)
    hashed = hashed_content(typed.with_columns(pl.col(ROW).cast(pl.Int64)), kind)
    columns = [ROW, "id", "content_hash", *TYPES[kind].all, "tools", *MARKS]
    if rows.select(pl.col(IMAGES).is_not_null().any()).collect().item():
        columns.append(IMAGES)
    hashed = hashed.select(columns)
    if hold:
        # In one piece: of one thread's many pieces a join would take lists forty times as slowly.
        held = hashed.collect(engine="streaming").rechunk()
        return BaseFrame(path, kind, misfits, held.with_columns(pl.col(ROW).set_sorted()))
    sink(hashed, path, check=check)
    return BaseFrame(path, kind, misfits)


def hashed_content(rows: pl.LazyFrame, kind: str) -> pl.LazyFrame:
    """Return the rows with the `content_hash` of what they hold now."""
    whole = rows.with_columns(canonical(kind).alias("_whole"))
    digest = plh.col("_whole").chash.blake3().str.slice(0, 32)
    return whole.with_columns(digest.alias("content_hash")).drop("_whole")


def rewritten(
    base: BaseFrame,
    kept: pl.LazyFrame,
    work: Path,
    name: str,
    check: Callable[[], None] = lambda: None,
) -> BaseFrame:
    """Write all rows anew: those of `kept` as they are there, the others as they were.

    Args:
        base: all rows before a step.
        kept: rows after it, some changed, some new.
        work: where files too large for memory go.
        name: of the files.
        check: called now and then; what it raises ends the work.
    """
    columns = base.scan().collect_schema().names()
    path = work / f"{name}-kept.parquet"
    sink(hashed_content(kept, base.type).select(columns), path, check=check)
    now = pl.scan_parquet(path, glob=False)
    others = base.scan().join(now.select(ROW), on=ROW, how="anti", maintain_order="left")
    whole = work / f"{name}.parquet"
    sink(pl.concat([now, others]).sort(ROW), whole, check=check)
    path.unlink()
    return BaseFrame(whole, base.type, base.misfits)
