"""Rows that say the same as an earlier one."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from curate.frame import ROW
from curate.reasons import Reason
from curate.steps.base import Depends, Outcome, StepContext, dropped_rows, settings_of, split_off
from curate.steps.configs import ExactDuplicates


class ExactDuplicatesStep:
    """Keeps the first of equal rows; equal by content hash, then by normalised tokens."""

    name: ClassVar[str] = "exact_duplicates"
    scope: ClassVar[Literal["row", "global"]] = "global"

    def __init__(self, config: ExactDuplicates) -> None:
        self.config = config

    def depends_on(self, context: StepContext) -> Depends:
        """Return what the outcome depends on beside the rows."""
        return settings_of(self.config)

    def apply(self, frame: pl.LazyFrame, context: StepContext) -> Outcome:
        """Drop all but the first of equal rows."""
        table = frame.select(ROW, "content_hash").sort(ROW).collect()
        rows = table[ROW].to_numpy().astype(np.int64)
        first = _first_of(table["content_hash"].rank("dense").to_numpy())
        same_bytes = first != np.arange(rows.size)
        partner = first.copy()
        if self.config.normalised:
            normal = _first_of(context.classes.first[rows])
            partner = np.where(same_bytes, first, normal)
        gone = partner != np.arange(rows.size)
        reasons = np.where(same_bytes, Reason.EXACT_DUPLICATE, Reason.NORMALISED_DUPLICATE)[gone]
        of = context.ids.gather(rows[partner[gone]])
        detail = [f"equal to {kept}" for kept in of]
        dropped = dropped_rows(
            self.name, rows[gone], [str(reason) for reason in reasons], detail, of
        )
        return split_off(frame, dropped)


def _first_of(numbers: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return for each place the first place with the same number, which is about as small."""
    places = np.arange(numbers.size, dtype=np.int64)
    first = np.empty(int(numbers.max(initial=0)) + 1, np.int64)
    first[numbers[::-1]] = places[::-1]  # the last one written stays
    return np.asarray(first[numbers])
