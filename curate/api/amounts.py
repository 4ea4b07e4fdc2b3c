"""How much of what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
from numpy.typing import NDArray

from curate.api.frames import model_directory, prepared, type_of
from curate.api.making import step
from curate.given import given
from curate.one_step import validated
from curate.steps.balance import BalanceStep
from curate.steps.balancing.configs import Balance, Mix
from curate.steps.base import Outcome
from curate.steps.mix import MixStep
from curate.steps.select import SelectStep
from curate.steps.selection.configs import Select
from curate.steps.selection.vectors import Vectors, whole_numbers
from workspace.errors import DataError, UsageError

_MIXED = "\x00{}"


def topics(frame: pl.LazyFrame | pl.DataFrame, count: int = 20, **settings: Any) -> Outcome:
    """Give each row a topic, in the column `topic`: a cluster of vectors, named by its words.

    Args:
        frame: rows.
        count: how many topics.
        settings: as in the recipe: `embedder`, `text`, `words`, `seed`.
    """
    return step(frame, "topics", count=count, **settings)


def balance(
    frame: pl.LazyFrame | pl.DataFrame,
    by: str | Sequence[str] = "label",
    *,
    model: str | Path | None = None,
    **settings: Any,
) -> Outcome:
    """Give each label, source, length, script or value of a column its share.

    Args:
        frame: rows; the label is in `user_label`.
        by: one name, or several for each combination.
        model: a directory whose tokenizer counts trained tokens; without it, words are counted.
        settings: as in the recipe: `cap`, `upsample`, `target`, `temperature`, `count` …
    """
    context, rows = prepared(frame)
    context.model = model_directory(model)
    config = validated(Balance, {"by": by, **settings})
    return BalanceStep(config).apply(rows, context)


def select(
    frame: pl.LazyFrame | pl.DataFrame,
    rows: float,
    *,
    vectors: NDArray[Any] | str | None = None,
    **settings: Any,
) -> Outcome:
    """Keep a subset of the rows that represents them all.

    Args:
        frame: rows.
        rows: how many, or a share below 1.
        vectors: your own embeddings, shape (rows, dimensions), or a folder with an embedder,
            instead of words.
        settings: as in the recipe: `method`, `quality`, `quality_share`, `text`, `seed`.

    Raises:
        DataError: not one vector for each row.
    """
    context, held = prepared(frame)
    own = None
    if isinstance(vectors, str):
        settings["vectors"] = vectors
    elif vectors is not None:
        if vectors.ndim != 2 or len(vectors) != len(context.ids):
            raise DataError(
                "one vector is needed for each row",
                cause=f"There are {len(context.ids):,} rows; `vectors` has the shape "
                f"{vectors.shape}.",
            )
        own = Vectors(whole_numbers(vectors))
    config = validated(Select, {"rows": rows, **settings})
    return SelectStep(config, own).apply(held, context)


def mix(
    frames: Mapping[str, pl.LazyFrame | pl.DataFrame],
    weights: Mapping[str, float],
    *,
    model: str | Path | None = None,
    **settings: Any,
) -> Outcome:
    """Make one dataset of several, by shares of tokens or rows.

    Args:
        frames: name → rows, all of one type; rows without a `source` get the name.
        weights: name → weight; their sum counts as 1.
        model: a directory whose tokenizer counts trained tokens; without it, words are counted.
        settings: as in the recipe: `count`, `size`, `keep`, `max_repeats`, `seed`.
    """
    if set(frames) != set(weights) or not frames or min(weights.values(), default=0) <= 0:
        raise UsageError(
            "each frame needs a weight above 0",
            cause=f"Frames: {', '.join(frames)}; weights: {', '.join(weights)}.",
        )
    parts = [
        _named_source(frame.lazy().collect(), number)
        for number, frame in enumerate(frames.values())
    ]
    kinds = sorted({type_of(part.columns) for part in parts})
    if len(kinds) > 1:
        raise DataError(
            "rows of two types cannot be mixed",
            cause=f"The frames are of type {', '.join(kinds)}.",
            cure="`curate.read(FILE, type=…)` brings them to one.",
        )
    context, rows = prepared(_with_own_ids(pl.concat(parts, how="diagonal_relaxed")))
    context.model = model_directory(model)
    names = list(frames)
    entries = {_MIXED.format(number): number for number in range(len(names))}
    step = MixStep(validated(Mix, settings), entries, [weights[name] for name in names], names)
    outcome = step.apply(rows, context)
    number = pl.col("source").replace_strict(entries, return_dtype=pl.Int64)
    name = number.replace_strict(dict(enumerate(names)), return_dtype=pl.String)
    kept = outcome.kept.with_columns(pl.coalesce("_source", name).alias("source")).drop("_source")
    return replace(outcome, kept=kept)


def _named_source(frame: pl.DataFrame, number: int) -> pl.DataFrame:
    """Put the number of a frame where mixing looks, and its own sources beside it."""
    own = pl.col("source") if "source" in frame.columns else pl.lit(None, pl.String)
    return given(frame, type_of(frame.columns)).with_columns(
        own.cast(pl.String).alias("_source"), pl.lit(_MIXED.format(number)).alias("source")
    )


def _with_own_ids(frame: pl.DataFrame) -> pl.DataFrame:
    """Number ids that two frames share: each row has one of its own."""
    if "id" not in frame.columns:
        return frame
    nth = pl.int_range(pl.len()).over("id")
    twice = pl.concat_str("id", pl.lit("-"), nth.cast(pl.String))
    return frame.with_columns(pl.when(nth == 0).then("id").otherwise(twice).alias("id"))
