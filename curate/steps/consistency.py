"""Answers that depart from a convention which nearly all others keep."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import polars as pl

from curate.conventions.configs import Consistency
from curate.conventions.findings import Finding
from curate.conventions.report import findings_of
from curate.conventions.survey import columns, surveyed
from curate.reasons import Reason
from curate.steps.base import Outcome, StepContext, dropped_rows, split_off
from curate.steps.quality.cells import blocks

_MOST_NOTES = 20
_BLOCK_ROWS = 4_096  # a second or two of work between two looks at a stop


class ConsistencyStep:
    """Learns the conventions from the rows that are there; drops or notes who departs."""

    name: ClassVar[str] = "consistency"
    scope: ClassVar[Literal["row", "global"]] = "global"

    def __init__(self, config: Consistency) -> None:
        self.config = config

    def apply(self, frame: pl.LazyFrame, context: StepContext) -> Outcome:
        """Drop rows that depart."""
        found = self.look(frame, context)
        told: dict[int, list[str]] = {}
        for one in found:
            if one.level == "departing" and self._drops(one):
                for row, what in zip(one.rows.tolist(), one.instead, strict=True):
                    told.setdefault(row, []).append(detail(one, what))
        rows = np.array(sorted(told), np.int64)
        dropped = dropped_rows(
            self.name, rows, Reason.INCONSISTENT, ["; ".join(told[row]) for row in rows.tolist()]
        )
        return split_off(frame, dropped, _notes(found, self.config))

    def look(self, frame: pl.LazyFrame, context: StepContext) -> list[Finding]:
        """Return what there is to say about the conventions of these rows."""
        context.tell("reading the answers")
        held = blocks(frame, context, columns(context.type), _BLOCK_ROWS)
        return findings_of(surveyed(held, language=self.config.language), self.config.share)

    def _drops(self, one: Finding) -> bool:
        return self.config.drop == "all" or (self.config.drop == "form" and one.form)


def detail(one: Finding, what: str) -> str:
    """Return why a row departs, in one clause: value against convention."""
    return f"{one.aspect}: {what}, {one.share:.2%} of {one.applies:,} {one.convention}"


def _notes(found: list[Finding], config: Consistency) -> tuple[str, ...]:
    kept = [one for one in found if one.level != "departing"]
    kept += [one for one in found if one.level == "departing"]
    said = [("WARNING: " if one.level == "source" else "") + one.sentence for one in kept]
    if len(said) > _MOST_NOTES:
        said[_MOST_NOTES:] = [f"{len(said) - _MOST_NOTES:,} more: `temper curate consistency`."]
    if not said:
        said = [f"No answer departs from a convention of {config.share:.0%} of the rows."]
    return tuple(said)
