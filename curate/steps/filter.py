"""Rows that break a named rule."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Literal

import numpy as np
import polars as pl

from curate.frame import ROW
from curate.steps.base import Depends, Outcome, StepContext, dropped_rows, settings_of, split_off
from curate.steps.quality.cells import blocks
from curate.steps.quality.configs import Filter
from curate.steps.quality.rules.arithmetic import ArithmeticRule
from curate.steps.quality.rules.base import FOUND, Rule, text_columns
from curate.steps.quality.rules.heuristics import HeuristicsRule
from curate.steps.quality.rules.language import LanguageRule
from curate.steps.quality.rules.length import LengthRule
from curate.steps.quality.rules.patterns import PatternsRule
from curate.steps.quality.rules.placeholders import PlaceholdersRule
from curate.steps.quality.rules.refusals import RefusalsRule
from curate.steps.quality.rules.repetition import RepetitionRule
from curate.steps.quality.rules.truncated import TruncatedRule
from curate.steps.quality.rules.unseen import UnseenRule

MAKERS: dict[str, Callable[[Any], Rule]] = {
    rule.name: rule
    for rule in (
        LengthRule,
        LanguageRule,
        RepetitionRule,
        PlaceholdersRule,
        RefusalsRule,
        UnseenRule,
        TruncatedRule,
        ArithmeticRule,
        HeuristicsRule,
        PatternsRule,
    )
}


class FilterStep:
    """Asks every rule that is on; a row goes with the first one's reason and all their details."""

    name: ClassVar[str] = "filter"
    scope: ClassVar[Literal["row", "global"]] = "row"

    def __init__(self, config: Filter) -> None:
        self.config = config

    def depends_on(self, context: StepContext) -> Depends:
        """Return what the outcome depends on beside the rows."""
        return settings_of(self.config)

    def apply(self, frame: pl.LazyFrame, context: StepContext) -> Outcome:
        """Drop the rows that break a rule."""
        rules = [MAKERS[name](config) for name, config in self.config.rules().items()]
        known = "tokens" in context.base.collect_schema().names()
        tokens = pl.col("tokens") if known else pl.lit(None, pl.Int32)
        parts = [pl.DataFrame(schema={**FOUND, "rule": pl.Int64})]
        for block in blocks(frame, context, text_columns(context.type, tokens)):
            for number, rule in enumerate(rules):
                found = rule.find(block)
                if found.height:
                    parts.append(found.with_columns(pl.lit(number, pl.Int64).alias("rule")))
        gone = (
            pl.concat(parts)
            .sort(ROW, "rule", maintain_order=True)
            .group_by(ROW, maintain_order=True)
            .agg(pl.col("reason").first(), pl.col("detail").unique(maintain_order=True))
            .with_columns(pl.col("detail").list.join("; "))
        )
        rows = gone[ROW].to_numpy().astype(np.int64)
        dropped = dropped_rows(self.name, rows, gone["reason"].to_list(), gone["detail"].to_list())
        notes = tuple(note for rule in rules for note in rule.notes())
        return split_off(frame, dropped, notes)
