"""Prompts and answers that come up again and again, each compared by itself."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import polars as pl

from curate.frame import ROW
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
from curate.steps.configs import RepeatedAnswers, RepeatedPrompts
from evalsuite.similarity.tokens import TokenTable, sequence_hashes


class RepeatedPromptsStep:
    """Keeps so many rows of each prompt, whatever they answer."""

    name: ClassVar[str] = "repeated_prompts"
    scope: ClassVar[Literal["row", "global"]] = "global"

    def __init__(self, config: RepeatedPrompts) -> None:
        self.config = config

    def depends_on(self, context: StepContext) -> Depends:
        """Return what the outcome depends on beside the rows."""
        return settings_of(self.config)

    def apply(self, frame: pl.LazyFrame, context: StepContext) -> Outcome:
        """Drop the rows of a prompt beyond the wanted number."""
        rows = _groups(frame, context.prompts)
        order = [pl.col(ROW)]
        if self.config.keep == "longest":
            lengths = context.answers.lengths[rows[ROW].to_numpy()]
            rows = rows.with_columns(pl.Series("length", lengths))
            order = [-pl.col("length"), pl.col(ROW)]
        ranked = rows.sort("group", *order).with_columns(_places())
        gone = ranked.filter(pl.col("place") >= self.config.most).sort(ROW)
        detail = [
            f"one of {of:,} rows with this prompt; kept: {self.config.most:,}" for of in gone["of"]
        ]
        return _outcome(self.name, frame, context, gone, Reason.REPEATED_PROMPT, detail)


class RepeatedAnswersStep:
    """Keeps so many rows of each answer, whatever they ask."""

    name: ClassVar[str] = "repeated_answers"
    scope: ClassVar[Literal["row", "global"]] = "global"

    def __init__(self, config: RepeatedAnswers) -> None:
        self.config = config

    def depends_on(self, context: StepContext) -> Depends:
        """Return what the outcome depends on beside the rows."""
        return settings_of(self.config)

    def apply(self, frame: pl.LazyFrame, context: StepContext) -> Outcome:
        """Drop the rows of a long answer beyond the wanted number."""
        rows = _groups(frame, context.answers)
        lengths = context.answers.lengths[rows[ROW].to_numpy()]
        rows = rows.filter(pl.Series(lengths >= self.config.least_tokens))
        ranked = rows.sort("group", ROW).with_columns(_places())
        gone = ranked.filter(pl.col("place") >= self.config.most).sort(ROW)
        detail = [
            f"one of {of:,} rows with this answer; kept: {self.config.most:,}" for of in gone["of"]
        ]
        return _outcome(self.name, frame, context, gone, Reason.REPEATED_ANSWER, detail)


def _groups(frame: pl.LazyFrame, tokens: TokenTable) -> pl.DataFrame:
    rows = positions(frame)
    return pl.DataFrame({ROW: rows, "group": sequence_hashes(tokens)[rows]})


def _places() -> list[pl.Expr]:
    """Place within the group (0 first), how many there are, and the first, which is kept."""
    return [
        pl.int_range(pl.len()).over("group").alias("place"),
        pl.len().over("group").alias("of"),
        pl.col(ROW).first().over("group").alias("kept"),
    ]


def _outcome(
    step: str,
    frame: pl.LazyFrame,
    context: StepContext,
    gone: pl.DataFrame,
    reason: Reason,
    detail: list[str],
) -> Outcome:
    rows = gone[ROW].to_numpy().astype(np.int64)
    of = context.ids.gather(gone["kept"])
    return split_off(frame, dropped_rows(step, rows, reason, detail, of))
