"""Where scores are: one struct column, `scores`, a field for each; in a dataset in `meta`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from curate.frame import ROW, BaseFrame
from curate.sinking import sink

SCORES = "scores"


@dataclass(frozen=True)
class Scores:
    """What a step measured."""

    values: pl.DataFrame
    """`_row` and a column of numbers for each score; null where there is none."""
    fingerprint: str
    """Names all that decides the numbers beside the rows: kind, settings, model."""

    @property
    def names(self) -> list[str]:
        """Of the scores."""
        return [name for name in self.values.columns if name != ROW]


def score_names(frame: pl.LazyFrame) -> tuple[str, ...]:
    """Return which scores rows have."""
    kind = frame.collect_schema().get(SCORES)
    return tuple(field.name for field in kind.fields) if isinstance(kind, pl.Struct) else ()


def score(name: str) -> pl.Expr:
    """Return a score as an expression."""
    return pl.col(SCORES).struct.field(name)


def with_scores(frame: pl.LazyFrame, values: pl.DataFrame) -> pl.LazyFrame:
    """Return the rows with these scores beside those they have; of one name the new ones count.

    Args:
        frame: rows, in the order of `_row`.
        values: `_row` and a column for each score; rows that are not there have none.
    """
    new = {name: f"\x00{name}" for name in values.columns if name != ROW}
    old = [score(name) for name in score_names(frame) if name not in new]
    joined = frame.join(values.rename(new).lazy(), on=ROW, how="left", maintain_order="left")
    fields = [*old, *(pl.col(column).alias(name) for name, column in new.items())]
    return joined.with_columns(pl.struct(fields).alias(SCORES)).drop(*new.values())


def scored_base(
    base: BaseFrame, scores: Scores, name: str, check: Callable[[], None] = lambda: None
) -> BaseFrame:
    """Write all rows anew, with scores.

    Args:
        base: all rows.
        scores: of those that were still there.
        name: of the file.
        check: called while it is written; what it raises ends that.
    """
    path = base.path.with_name(f"{name}.parquet")
    sink(with_scores(base.scan(), scores.values), path, check=check)
    return BaseFrame(path, base.type, base.misfits)
