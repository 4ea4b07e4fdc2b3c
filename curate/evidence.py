"""What a report shows beside the rows of a dataset: how they were before, and what was near."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from curate.frame import NEAREST, SIMILARITIES
from curate.recipe import CurateSection
from curate.steps.quality.masks import Masks

if TYPE_CHECKING:
    from curate.steps.base import StepContext

PARENTS = {"id": pl.String, "asks": pl.String, "says": pl.String}
"""A row that another was made from: what it asks and what it answers."""


@dataclass(frozen=True)
class Evidence:
    """What was there before the first step, and what the steps found."""

    read: pl.LazyFrame
    """All rows of the dataset's type as they were read, on disk until the dataset is published."""
    section: CurateSection
    """What was asked for."""
    model: Path | None
    """The model whose tokenizer counts; None: tokens are not counted."""
    masks: Masks
    """Hide what must be shown nowhere, whatever the rows held before."""
    nearest: pl.DataFrame
    """Pairs nearest to a threshold; columns of `NEAREST`."""
    similarities: pl.DataFrame
    """How many pairs are how alike; columns of `SIMILARITIES`."""

    @classmethod
    def of(
        cls,
        read: pl.LazyFrame,
        section: CurateSection,
        model: Path | None,
        masks: Masks,
        context: StepContext,
    ) -> Evidence:
        """Return what a curation knows when its last step is done."""
        nearest = pl.concat([pl.DataFrame(schema=NEAREST), *context.nearest])
        similarities = pl.concat([pl.DataFrame(schema=SIMILARITIES), *context.similarities])
        return cls(read, section, model, masks, nearest, similarities)
