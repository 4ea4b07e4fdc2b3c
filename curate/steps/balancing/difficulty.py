"""Groups by a score: easy, medium and hard thirds."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from curate.frame import ROW
from curate.scores import score, score_names
from curate.steps.base import StepContext
from workspace.errors import DataError
from workspace.text import plain

DIFFICULTY = "difficulty"
_BY_ITSELF = ("ifd", "perplexity")
"""Scores that `difficulty` alone means, the first that is there."""
_GRADES = 10
"""A score with no more values than this is grades: each is a group."""


def is_score(name: str, context: StepContext) -> bool:
    """Return whether a name means groups by a score."""
    whole = name.partition(":")[0] == DIFFICULTY
    columns = context.base.collect_schema().names()
    return (whole and name not in columns) or name in score_names(context.base)


def thirds(rows: NDArray[np.int64], name: str, context: StepContext) -> pl.Series:
    """Return `easy`, `medium` or `hard` for each of `rows`, null where it has no score.

    Cut where a third and two thirds of the rows that are still there are reached; equal scores are
    in one group, so groups of scores with few values differ in size.

    Args:
        rows: positions, ascending.
        name: `difficulty` (by `ifd`, or else `perplexity`), `difficulty:SCORE`, or a score: its
            thirds are `low`, `middle` and `high`, its grades themselves where it has few values.
        context: knows all rows.

    Raises:
        DataError: no step gave the rows this score.
    """
    wanted = _named(name, context)
    column = context.base.select(ROW, score(wanted).alias("score")).sort(ROW).collect()["score"]
    held = column.gather(rows)
    known = held.drop_nulls()
    is_difficulty = name.partition(":")[0] == DIFFICULTY
    if not is_difficulty and known.n_unique() <= _GRADES:
        return _grades(held, wanted)
    names = ("easy", "medium", "hard") if is_difficulty else ("low", "middle", "high")
    if known.is_empty():
        return pl.Series("key", [None] * len(held), pl.String)
    ordered = np.sort(known.to_numpy())
    edges = [ordered[-(-len(ordered) * part // 3) - 1] for part in (1, 2)]
    values = held.to_numpy()
    third = np.searchsorted(np.array(edges), np.where(np.isnan(values), -np.inf, values), "left")
    found = pl.Series("key", names, pl.String).gather(third)
    return found.set(held.is_null(), None)


def _grades(held: pl.Series, name: str) -> pl.Series:
    told = [None if value is None else f"{name} {value:g}" for value in held.to_list()]
    return pl.Series("key", told, pl.String)


def _named(name: str, context: StepContext) -> str:
    scores = score_names(context.base)
    _, colon, given = name.partition(":")
    if name in scores:
        return name
    wanted = (given,) if colon else _BY_ITSELF
    for one in wanted:
        if one in scores:
            return one
    raise DataError(
        f"rows have no score {plain(' or '.join(wanted), 60)!r}",
        cause=f"Their scores are: {', '.join(scores) or 'none'}.",
        cure="Put a step such as `score: {ifd: {}}` before.",
    )
