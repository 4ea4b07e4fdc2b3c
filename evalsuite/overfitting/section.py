"""`evaluate.overfitting` of a recipe: how much of the run's own data is read again."""

from __future__ import annotations

from pydantic import Field

from workspace.recipe import Section


class OverfittingSection(Section):
    """Base and tuned on rows that training saw and on rows that it did not."""

    rows: int = Field(default=200, ge=0, le=20_000)
    """How many rows each of trained, validation and test ones are read by both models, and how
    many general prompts for drift: more make the intervals narrower and cost one reading each, as
    long as a training step's forward pass. 0 leaves the section out."""
    seed: int = 0
    """Which rows: a hash of their ids with this seed; two runs on one dataset share them."""
    canaries: str | None = None
    """A file of `temper canaries`, relative to the recipe, that was a source of the dataset: how
    exposed its random strings are."""
    references: int = Field(default=256, ge=16, le=65_536)
    """Strings among which each planted one ranks: one reading each; their log2 is the highest
    exposure that can be seen."""
    gate: bool = False
    """Let `--gate` refuse a model that over-fitted or memorised. Otherwise this is told and decides
    nothing: what may be lost is the suites' to say, and reciting a public text may be wanted."""
