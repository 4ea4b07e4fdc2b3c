"""The `evaluate: sizing:` block of a recipe."""

from __future__ import annotations

from pydantic import Field

from workspace.recipe import Section


class SizingSection(Section):
    """Ask a part of the items first, and more of them only for abilities that are undecided.

    Each look has a part of alpha as its level, so that looking again costs no wrong verdict. Which
    items are asked when is decided by a hash of their clusters, never by an answer.
    """

    first: int | None = Field(default=None, ge=20)
    """Items of each ability at the first look; left out, and at least: its `min_items`."""

    batch: int | None = Field(default=None, ge=10)
    """Items that each further look adds; left out: half of what is left after the first. More
    looks decide sooner and leave each a smaller part of alpha."""

    seed: int = 0
    """Another seed asks other items first."""
