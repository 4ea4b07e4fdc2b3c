"""Rows with nearly the words of a better one."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Literal

import polars as pl

from curate.reasons import Reason
from curate.steps.alike import alike_in, by_preference
from curate.steps.base import (
    Depends,
    Outcome,
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
        """Drop near-duplicates of better rows.

        Raises:
            DataError: the best by quality are to be kept, and no row has one.
        """
        alike = alike_in(self.config.text, self.config.threshold, context)
        rows, index = positions(frame), alike.index
        rows = rows[alike.comparable[rows]]
        partner, score = index.near_duplicates(
            rows, by_preference(rows, self.config.keep, context), self.config.threshold
        )
        gone = partner >= 0
        of = context.ids.gather(partner[gone])
        of_what = "" if self.config.text == "whole" else f" of the {self.config.text}"
        detail = [
            f"similarity{of_what} {value:.3f} >= {self.config.threshold} to {kept}"
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
            similarities=judged.similarities(index, alike.loosest),
        )
