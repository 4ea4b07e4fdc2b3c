"""Preferences that teach nothing, or two things at once."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import polars as pl

from curate.frame import ROW
from curate.phrases import phrase
from curate.reasons import Reason
from curate.steps.base import (
    Depends,
    Outcome,
    StepContext,
    dropped_rows,
    positions,
    settings_of,
    split_off,
)
from curate.steps.configs import PreferencePairs
from curate.texts import turns_text
from evalsuite.similarity.tokens import sequence_hashes
from workspace.errors import UsageError


class PreferencePairsStep:
    """Compares the answers of each pair, and pairs of one prompt with each other."""

    name: ClassVar[str] = "preference_pairs"
    scope: ClassVar[Literal["row", "global"]] = "global"

    def __init__(self, config: PreferencePairs) -> None:
        self.config = config

    def depends_on(self, context: StepContext) -> Depends:
        """Return what the outcome depends on beside the rows."""
        return settings_of(self.config)

    def apply(self, frame: pl.LazyFrame, context: StepContext) -> Outcome:
        """Drop pairs without a difference and preferences that go both ways.

        Raises:
            UsageError: the rows are no preferences.
        """
        sides = _sides(frame, context)
        faults = _faults(frame, self.config) if context.type == "preference" else _no_faults()
        differ = sides.filter(pl.col("first") != pl.col("second"))
        told = _both_ways(differ.join(faults, on=ROW, how="anti"))
        against = told.filter(self._goes()).select(
            ROW,
            pl.lit(Reason.BOTH_WAYS.value).alias("reason"),
            phrase(
                "{} of {} rows with these answers say so, {} the opposite",
                "same",
                "rows",
                pl.col("rows") - pl.col("same"),
            ).alias("detail"),
        )
        gone = pl.concat([faults, against]).sort(ROW)
        rows = gone[ROW].to_numpy().astype(np.int64)
        dropped = dropped_rows(self.name, rows, gone["reason"].to_list(), gone["detail"].to_list())
        return split_off(frame, dropped, _notes(told))

    def _goes(self) -> pl.Expr:
        if self.config.both_ways == "all":
            return pl.lit(False)
        if self.config.both_ways == "none":
            return pl.lit(True)
        return pl.col("same") * 2 <= pl.col("rows")


def _no_faults() -> pl.DataFrame:
    return pl.DataFrame(schema={ROW: pl.Int64, "reason": pl.String, "detail": pl.String})


def _faults(frame: pl.LazyFrame, config: PreferencePairs) -> pl.DataFrame:
    """Return the pairs that are wrong by themselves."""
    sides = [turns_text(side).str.strip_chars() for side in ("chosen", "rejected")]
    parted = pl.any_horizontal(_goes_on(pl.col(side)) for side in ("chosen", "rejected"))
    checks = (
        (config.equal, Reason.CHOSEN_IS_REJECTED, sides[0] == sides[1], "the two are equal"),
        (config.parted, Reason.PROMPTS_DIFFER, parted, "an answer goes on for several turns"),
    )
    found = [
        frame.filter(holds).select(
            ROW, pl.lit(reason.value).alias("reason"), pl.lit(detail).alias("detail")
        )
        for wanted, reason, holds, detail in checks
        if wanted
    ]
    table = pl.concat([_no_faults(), *pl.collect_all(found)])
    return table.unique(ROW, keep="first", maintain_order=True)


def _goes_on(turns: pl.Expr) -> pl.Expr:
    """Whether an answer is more than one turn, calls of tools and what they return apart."""
    role = pl.element().struct.field("role")
    has = {who: turns.list.eval(role == who).list.any() for who in ("user", "tool")}
    return has["user"] | ((turns.list.len() > 1) & ~has["tool"])


def _notes(told: pl.DataFrame) -> tuple[str, ...]:
    if told.is_empty():
        return ()
    return (f"{told.height:,} preferences are told both ways.",)


def _sides(frame: pl.LazyFrame, context: StepContext) -> pl.DataFrame:
    """Return `_row`, `prompt`, `first`, `second` (hashes of answers), `forwards`.

    A label has no second answer: there `second` differs from every hash of an answer in practice.
    """
    rows = positions(frame)
    prompt = sequence_hashes(context.prompts)[rows]
    if context.type == "preference":
        chosen, rejected = (
            sequence_hashes(context.tokens_of(turns_text(side)))[rows]
            for side in ("chosen", "rejected")
        )
        columns = {"first": np.minimum(chosen, rejected), "second": np.maximum(chosen, rejected)}
        forwards = chosen < rejected
    elif context.type == "unpaired_preference" and context.marks is not None:
        answer = sequence_hashes(context.answers)[rows]
        columns = {"first": answer, "second": ~answer}
        forwards = context.marks[rows] == 1
    else:
        raise UsageError(
            "these rows are no preferences",
            where="preference_pairs",
            cause=f"The dataset type is {context.type}.",
            cure="Take the step out; `contradictions` compares answers of other types.",
        )
    return pl.DataFrame({ROW: rows, "prompt": prompt, **columns, "forwards": forwards})


def _both_ways(sides: pl.DataFrame) -> pl.DataFrame:
    """Return the rows whose preference another row turns round, with how many say the same."""
    key = ("prompt", "first", "second")
    return sides.with_columns(
        pl.len().over(key).alias("rows"),
        pl.len().over(*key, "forwards").alias("same"),
    ).filter(pl.col("same") < pl.col("rows"))
