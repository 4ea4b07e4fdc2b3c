"""The output has a form, or what stands at a place of it is the gold answer."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator

from evalsuite.scorers.score import RIGHT, Score, wrong
from workspace.recipe import Section

if TYPE_CHECKING:
    from evalsuite.tasks.item import Item


def _is_one(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"a regular expression ({error})") from None
    return pattern


Pattern = Annotated[str, AfterValidator(_is_one)]
"""A regular expression."""


class RegexScorer(Section):
    """Right if `pattern` is found; with a group, if the last one found holds the gold answer."""

    kind: Literal["regex"] = "regex"
    """A regular expression, with a group for the answer or without."""
    pattern: Pattern
    """Looked for anywhere unless it says `^` and `$`; `.` spans lines. Without a group no gold is
    needed. With one, as in `answer: (\\w+)`, its first group's last text is compared. Beware of
    patterns such as `(a+)+$`, whose time doubles with every character."""
    ignore_case: bool = False
    """Pass over differences of case."""

    @cached_property
    def _compiled(self) -> re.Pattern[str]:
        return re.compile(self.pattern, re.DOTALL | (re.IGNORECASE if self.ignore_case else 0))

    @property
    def compares(self) -> bool:
        """Whether the gold answer is looked at."""
        return self._compiled.groups > 0

    def refusal(self, gold: str) -> str | None:
        """Return why `gold` cannot be scored against, or None."""
        return "an empty gold answer" if self.compares and not gold.strip() else None

    def score(self, output: str, item: Item) -> Score:
        """Look for the pattern in `output`."""
        found = None
        for found in self._compiled.finditer(output.strip()):  # noqa: B007
            continue
        if found is None:
            return wrong("the pattern is not found")
        if not self.compares:
            return RIGHT
        held, gold = (found.group(1) or "").strip(), item.gold.strip()
        if self.ignore_case:
            held, gold = held.casefold(), gold.casefold()
        return RIGHT if held == gold else wrong(f"found {held[:80]!r}")
