"""Regular expressions of the recipe's own, in linear time whatever they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import polars as pl

from curate.reasons import Reason
from curate.steps.quality.configs import Pattern
from curate.steps.quality.rules.base import FOUND, Quiet, broken, measured
from workspace.errors import UsageError


class PatternsRule(Quiet):
    """Each pattern by itself; the text that it finds is not shown."""

    name: ClassVar[str] = "patterns"

    def __init__(self, config: Sequence[Pattern]) -> None:
        self.config = config
        for pattern in config:
            _check(pattern)

    def find(self, block: pl.DataFrame) -> pl.DataFrame:
        """Return the rows that a pattern drops."""
        parts = [pl.DataFrame(schema=FOUND)]
        for pattern in self.config:
            holds = measured(pattern.of).str.contains(pattern.regex)
            when = holds if pattern.drop_if == "found" else ~holds
            said = pl.lit(f"pattern {pattern.name!r} {pattern.drop_if} in {pattern.of}")
            parts.append(broken(block, when, Reason.PATTERN, said))
        return pl.concat(parts)


def _check(pattern: Pattern) -> None:
    try:
        pl.Series([""]).str.contains(pattern.regex)
    except pl.exceptions.ComputeError as error:
        raise UsageError(
            "this regular expression cannot be used",
            where=f"filter.patterns {pattern.name!r}",
            # What follows is polars' own expression, which nobody wrote.
            cause=str(error).partition("\n\nThis error occurred")[0],
            cure="Patterns are in the syntax of Rust's regex, which has no look-around, no "
            "back-references and a limit on size, so that none can explode.",
        ) from None
