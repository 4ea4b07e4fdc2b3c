"""Rows with nearly the words of a better one."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Literal

import numpy as np
import polars as pl

from curate.reasons import Reason
from curate.steps.base import (
    Depends,
    Outcome,
    Rows,
    StepContext,
    dropped_rows,
    positions,
    settings_of,
    split_off,
)
from curate.steps.configs import NearDuplicates
from curate.steps.nearness import Judged


class NearDuplicatesStep:
    """Drops a row only for the sake of a kept one that it was compared with word by word."""

    name: ClassVar[str] = "near_duplicates"
    scope: ClassVar[Literal["row", "global"]] = "global"

    def __init__(self, config: NearDuplicates) -> None:
        self.config = config

    def depends_on(self, context: StepContext) -> Depends:
        """Return what the outcome depends on beside the rows."""
        # Long answers of a pair must be as alike as the loosest pairs that anything asks for.
        return {**settings_of(self.config), "loosest": context.loosest}

    def apply(self, frame: pl.LazyFrame, context: StepContext) -> Outcome:
        """Drop near-duplicates of better rows."""
        rows = positions(frame)
        index = context.index
        partner, score = index.near_duplicates(
            rows, by_preference(rows, self.config.keep, context), self.config.threshold
        )
        gone = partner >= 0
        of = context.ids.gather(partner[gone])
        detail = [
            f"similarity {value:.3f} >= {self.config.threshold} to {kept}"
            for value, kept in zip(score[gone].tolist(), of, strict=True)
        ]
        dropped = dropped_rows(self.name, rows[gone], Reason.NEAR_DUPLICATE, detail, of)
        notes = (
            (
                f"{index.capped_rows:,} rows share phrases with more than 32 others; each was "
                "compared with the nearest of them, not with all.",
            )
            if index.capped_rows
            else ()
        )
        judged = Judged(self.name, self.config.threshold, rows, partner, score)
        return replace(
            split_off(frame, dropped, notes),
            nearest=judged.nearest(index, context.ids),
            similarities=judged.similarities(index, context.loosest),
        )


def by_preference(rows: Rows, keep: Literal["longest", "first"], context: StepContext) -> Rows:
    """Return the place of each of `rows` in the order of preference; 0 is kept before all others.

    Args:
        rows: positions, ascending.
        keep: `longest`: the longer answer, then the earlier row; `first`: the earlier row.
        context: knows all rows.
    """
    if keep == "first":
        return np.arange(rows.size)
    order = np.lexsort((rows, -context.answers.lengths[rows]))
    rank = np.empty(rows.size, np.int64)
    rank[order] = np.arange(rows.size)
    return rank
