"""`evaluate.triage` of a recipe: how a lost ability is asked again."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from workspace.recipe import Section

FEWEST = 20
"""Items below which a way of asking tells nothing."""


class TriageSection(Section):
    """Whether a lost ability is gone or only answered in another form."""

    items: int = Field(default=100, ge=0, le=5000)
    """Items of each lost ability that base and tuned are asked again, in up to three other ways:
    extra passes that an evaluation without losses does not have. At least 20, of which it can be
    told; 0 leaves them out."""
    seed: int = 0
    """Which items, and which wrong answers stand beside the right one."""

    @model_validator(mode="after")
    def _enough_to_tell(self) -> Self:
        if 0 < self.items < FEWEST:
            raise ValueError(f"`items` of 0 or at least {FEWEST}, of which something can be told")
        return self
