"""Too short or too long, in characters, words or tokens."""

from __future__ import annotations

from typing import ClassVar

import polars as pl

from curate.phrases import phrase
from curate.reasons import Reason
from curate.steps.quality.configs import Length
from curate.steps.quality.rules.base import FOUND, Quiet, broken, measured, words
from workspace.errors import DataError


class LengthRule(Quiet):
    """Compares each count that has a bound."""

    name: ClassVar[str] = "length"

    def __init__(self, config: Length) -> None:
        self.config = config

    def find(self, block: pl.DataFrame) -> pl.DataFrame:
        """Return the rows out of bounds."""
        text = measured(self.config.of)
        counts = {
            "characters": (text.str.len_chars(), f" of {self.config.of}"),
            "words": (words(text), f" of {self.config.of}"),
            "tokens": (pl.col("tokens"), ""),
        }
        parts = [pl.DataFrame(schema=FOUND)]
        for unit, (count, where) in counts.items():
            low = getattr(self.config, f"min_{unit}")
            high = getattr(self.config, f"max_{unit}")
            if low is None and high is None:
                continue
            if unit == "tokens" and block["tokens"].null_count() == block.height > 0:
                raise uncounted()
            some = block.with_columns(count.alias("n"))
            detail = f"{{}} {unit}{where}"
            if low is not None:
                said = phrase(f"{detail} < {low}", "n")
                parts.append(broken(some, pl.col("n") < low, Reason.UNDER_LENGTH, said))
            if high is not None:
                said = phrase(f"{detail} > {high}", "n")
                parts.append(broken(some, pl.col("n") > high, Reason.OVER_LENGTH, said))
        return pl.concat(parts)


def uncounted() -> DataError:
    """Return the refusal to judge tokens that nobody counted."""
    return DataError(
        "tokens are not counted",
        where="filter.length",
        cause="A bound in tokens needs the tokenizer and chat template of a model on this disk.",
        cure="Name one (`model:` in the recipe, --model for the command), or give it in words.",
    )
