"""What is written of failures into `results.json`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from evalsuite.verdict import AbilityVerdict


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class NearRow(_Record):
    """A training row near to failed items."""

    id: str
    """The row's id in the dataset."""
    similarity: float
    """Mean cosine over the items that it is nearest to, by words weighted by rarity."""
    text: str
    """Its question and answer, shortened."""


class FailureGroup(_Record):
    """Items of one ability that failed and are alike."""

    model: str
    """The tuned model."""
    ability: str
    verdict: AbilityVerdict
    """Of the ability."""
    name: str
    """The words that tell these items from the ability's others; `others` for what is left."""
    items: list[str]
    """Ids, as `task/id`."""
    reason: str = ""
    """The commonest reason for the score, with how many of the items have it."""
    rows: list[NearRow] = Field(default_factory=list)
    """The training rows nearest to the group, the nearest first."""
    sources: list[str] = Field(default_factory=list)
    """Ids of all rows that are among the nearest of some item: what new rows can be made from."""
