"""Frames of one's own, made into what steps take."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl

from curate.frame import MARKS, ROW, hashed_content
from curate.given import given, whole_turns
from curate.steps.base import StepContext
from curate.texts import TYPES
from workspace.errors import DataError
from workspace.layout import RECIPE, Workspace


def prepared(
    frame: pl.LazyFrame | pl.DataFrame, *, loosest: float = 0.7
) -> tuple[StepContext, pl.LazyFrame]:
    """Return a context over the frame, which gets the columns that steps need and it lacks."""
    held = frame.lazy().collect()
    whole, kind = completed(given(held, type_of(held.columns)))
    lazy = whole.collect().lazy()
    here = Path.cwd()
    return StepContext(lazy, kind, workspace_of(here), here, loosest), lazy


def completed(frame: pl.LazyFrame | pl.DataFrame) -> tuple[pl.LazyFrame, str]:
    """Return the frame with the columns that steps need and it lacks, `_row` anew; and its type."""
    lazy = frame.lazy()
    empty = lazy.head(0).collect()
    kind = type_of(empty.columns)
    turns = [whole_turns(empty, column) for column in TYPES[kind].turns]
    numbered = lazy.drop(ROW, strict=False).with_row_index(ROW)
    held = numbered.with_columns(pl.col(ROW).cast(pl.Int64), *turns, *_missing(empty))
    if "content_hash" not in empty.columns:
        held = hashed_content(held, kind)
    nth = pl.int_range(pl.len()).over("content_hash").cast(pl.String)
    made = pl.concat_str("content_hash", nth, separator="-")
    own = pl.col("id").cast(pl.String) if "id" in empty.columns else pl.lit(None, pl.String)
    return held.with_columns(pl.coalesce(own, made).alias("id")), kind


def type_of(columns: Sequence[str]) -> str:
    """Return the dataset type that columns make.

    Raises:
        DataError: they make none.
    """
    order = ("unpaired_preference", "preference", "prompt_completion", "messages", "answer", "text")
    for kind in order:
        if {*TYPES[kind].all} <= {*columns}:
            return kind
    raise DataError(
        "these rows are of no known dataset type",
        cause=f"Their columns are {', '.join(columns)}.",
        cure="`curate.read(FILE)` brings other formats into one.",
    )


def _missing(frame: pl.DataFrame) -> list[pl.Expr]:
    kinds: dict[str, Any] = dict.fromkeys(("tools", *MARKS), pl.String)
    kinds |= {"row": pl.Int64, "parents": pl.List(pl.String), "quality": pl.Float64}
    return [
        pl.lit(None, kind).alias(name) for name, kind in kinds.items() if name not in frame.columns
    ]


def workspace_of(here: Path) -> Workspace:
    """Return the workspace; where no recipe makes one, nothing is kept when Python ends."""
    found = Workspace.find(here)
    return found if (found.root / RECIPE).is_file() else replace(found, cache_elsewhere=_passing())


@cache
def _passing() -> Path:
    directory = Path(tempfile.mkdtemp(prefix="curate-cache-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    return directory


def model_directory(model: str | Path | None) -> Path | None:
    """Return where the model is whose tokenizer counts."""
    from evalsuite.models import ModelSection, resolve_model

    return resolve_model(ModelSection(path=str(model)), Path.cwd()).path if model else None
