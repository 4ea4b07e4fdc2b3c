"""The output is the gold answer, character by character."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from evalsuite.scorers.score import RIGHT, Score, wrong
from workspace.recipe import Section

if TYPE_CHECKING:
    from evalsuite.tasks.item import Item


class ExactScorer(Section):
    """Right if output and gold are the same text."""

    several: ClassVar[bool] = True
    kind: Literal["exact"] = "exact"
    """The output is the gold answer."""
    strip: bool = True
    """Pass over white space at both ends."""

    def refusal(self, gold: str) -> str | None:
        """Return why `gold` cannot be scored against, or None."""
        return None if gold.strip() else "an empty gold answer"

    def score(self, output: str, item: Item) -> Score:
        """Compare `output` with every right answer."""
        golds = item.right_answers
        if self.strip:
            output, golds = output.strip(), tuple(gold.strip() for gold in golds)
        return RIGHT if output in golds else wrong("differs from the gold answer")
