"""Rows that answer nothing."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import polars as pl

from curate.frame import ROW
from curate.reasons import Reason
from curate.steps.base import Depends, Outcome, StepContext, dropped_rows, settings_of, split_off
from curate.steps.configs import EmptyAnswers
from curate.texts import TYPES

_NOTHING = r"^[\p{White_Space}\p{Cc}\p{Cf}\p{DI}]*$"
"""White space, controls and characters that nobody sees, such as U+200B and U+3164."""


class EmptyAnswersStep:
    """Drops rows whose answer shows nothing; of a preference pair, either side."""

    name: ClassVar[str] = "empty_answers"
    scope: ClassVar[Literal["row", "global"]] = "row"

    def __init__(self, config: EmptyAnswers) -> None:
        self.config = config

    def depends_on(self, context: StepContext) -> Depends:
        """Return what the outcome depends on beside the rows."""
        return settings_of(self.config)

    def apply(self, frame: pl.LazyFrame, context: StepContext) -> Outcome:
        """Drop rows with a blank answer."""
        blank = frame.filter(_blank(context.type)).select(ROW).sort(ROW).collect()
        rows = blank[ROW].to_numpy().astype(np.int64)
        detail = ["the answer is empty or blank"] * rows.size
        return split_off(frame, dropped_rows(self.name, rows, Reason.EMPTY_ANSWER, detail))


def _blank(kind: str) -> pl.Expr:
    columns = TYPES[kind]
    if kind == "text":
        return pl.col("text").str.contains(_NOTHING)
    if kind == "answer":
        return pl.col("answer").str.contains(_NOTHING)
    if kind == "messages":
        # Every assistant turn is trained on, so none may be empty.
        return _any_blank(pl.col("messages"))
    return pl.any_horizontal(_any_blank(pl.col(column)) for column in columns.answers)


def _any_blank(turns: pl.Expr) -> pl.Expr:
    turn = pl.element().struct
    calls = turn.field("tool_calls").list.len().fill_null(0)
    says_nothing = turn.field("content").str.contains(_NOTHING) & (calls == 0)
    is_answer = turn.field("role") == "assistant"
    return turns.list.eval(is_answer & says_nothing).list.any()
