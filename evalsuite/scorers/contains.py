"""The gold answer stands somewhere in the output, as whole words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar, Literal

from evalsuite.scorers.score import RIGHT, Score, wrong
from workspace.recipe import Section

if TYPE_CHECKING:
    from evalsuite.tasks.item import Item


class ContainsScorer(Section):
    """Right if the output contains the gold answer; a generous scorer, easily fooled by lists."""

    several: ClassVar[bool] = True
    kind: Literal["contains"] = "contains"
    """The gold answer stands somewhere in the output."""
    ignore_case: bool = True
    """Pass over differences of case."""
    whole_words: bool = True
    """`art` is not found in `party`, nor `3` in `13`."""

    def refusal(self, gold: str) -> str | None:
        """Return why `gold` cannot be scored against, or None."""
        return None if gold.strip() else "an empty gold answer, which every output contains"

    def score(self, output: str, item: Item) -> Score:
        """Look for every right answer in `output`."""
        found = any(self._holds(output, gold) for gold in item.right_answers)
        return RIGHT if found else wrong("the gold answer is not in the output")

    def _holds(self, output: str, gold: str) -> bool:
        pattern = re.escape(gold.strip())
        if self.whole_words:
            pattern = rf"(?<!\w){pattern}(?!\w)"
        return bool(re.search(pattern, output, re.IGNORECASE if self.ignore_case else 0))
