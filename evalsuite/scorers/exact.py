"""The output is the gold answer, character by character."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from evalsuite.scorers.score import RIGHT, Score, wrong
from workspace.recipe import Section

if TYPE_CHECKING:
    from evalsuite.tasks.item import Item


class ExactScorer(Section):
    """Right if output and gold are the same text."""

    kind: Literal["exact"] = "exact"
    """The output is the gold answer."""
    strip: bool = True
    """Pass over white space at both ends."""

    def refusal(self, gold: str) -> str | None:
        """Return why `gold` cannot be scored against, or None."""
        return None if gold.strip() else "an empty gold answer"

    def score(self, output: str, item: Item) -> Score:
        """Compare `output` with `item.gold`."""
        found, gold = (output.strip(), item.gold.strip()) if self.strip else (output, item.gold)
        return RIGHT if found == gold else wrong("differs from the gold answer")
