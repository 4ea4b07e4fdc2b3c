"""Prompts that are given different answers: labels that teach two things at once."""

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
from curate.steps.configs import Contradictions
from evalsuite.similarity.tokens import sequence_hashes


class ContradictionsStep:
    """Compares the short answers of rows whose prompts are equal after normalising."""

    name: ClassVar[str] = "contradictions"
    scope: ClassVar[Literal["row", "global"]] = "global"

    def __init__(self, config: Contradictions) -> None:
        self.config = config

    def depends_on(self, context: StepContext) -> Depends:
        """Return what the outcome depends on beside the rows."""
        return settings_of(self.config)

    def apply(self, frame: pl.LazyFrame, context: StepContext) -> Outcome:
        """Drop (or only count) the rows of prompts that have more than one answer."""
        rows = positions(frame)
        lengths = context.answers.lengths[rows]
        rows = rows[(lengths <= self.config.max_answer_tokens) & (lengths > 0)]
        pairs = pl.DataFrame(
            {
                ROW: rows,
                "prompt": sequence_hashes(context.prompts)[rows],
                "answer": sequence_hashes(context.answers)[rows],
            }
        )
        against = (
            pairs.with_columns(
                pl.col("answer").n_unique().over("prompt").alias("answers"),
                pl.len().over("prompt").alias("rows"),
                pl.len().over("prompt", "answer").alias("same"),
            )
            .filter(pl.col("answers") > 1)
            .with_columns(_other_row().alias("other"))
            .sort(ROW)
        )
        prompts = against["prompt"].n_unique()
        have = "prompt has" if prompts == 1 else "prompts have"
        note = f"{prompts:,} {have} more than one answer ({against.height:,} rows)."
        gone = against.filter(self._goes())
        of = context.ids.gather(gone["other"])
        detail = [
            f"{answers} different answers in {count} rows; another is {other}"
            for answers, count, other in zip(gone["answers"], gone["rows"], of, strict=True)
        ]
        dropped = dropped_rows(
            self.name, gone[ROW].to_numpy().astype(np.int64), Reason.CONTRADICTION, detail
        )
        return split_off(frame, dropped, (note,) if prompts else ())

    def _goes(self) -> pl.Expr:
        if self.config.keep == "all":
            return pl.lit(False)
        if self.config.keep == "none":
            return pl.lit(True)
        return pl.col("same") * 2 <= pl.col("rows")


def _other_row() -> pl.Expr:
    """Return the first row of the prompt that has another answer than this one."""
    first, last = pl.col(ROW).first().over("prompt"), pl.col(ROW).last().over("prompt")
    first_answer = pl.col("answer").first().over("prompt")
    differs = pl.col("answer") != first_answer
    other = pl.col(ROW).filter(pl.col("answer") != pl.col("answer").first()).first().over("prompt")
    return pl.when(differs).then(first).otherwise(pl.coalesce(other, last))
