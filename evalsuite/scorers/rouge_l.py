"""The longest sequence of words that output and gold answer have in common, in order."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from evalsuite.scorers.score import Score, best_of
from workspace.recipe import Section

if TYPE_CHECKING:
    from evalsuite.tasks.item import Item

_WORD = re.compile(r"[^\W_]+")


def rouge_words(text: str) -> list[str]:
    """Return runs of letters and digits in lower case.

    As the package rouge-score without its stemmer on ASCII texts. That one drops every other
    letter; here words of all scripts are kept.

    >>> rouge_words("It's 3.5 km")
    ['it', 's', '3', '5', 'km']
    """
    return _WORD.findall(text.lower())


def common_subsequence(one: Sequence[str], other: Sequence[str]) -> int:
    """Return the length of the longest common subsequence.

    A row of the table is the bits of one integer (Hyyrö 2004, "Bit-parallel LCS-length
    computation revisited"), so that an answer of a megabyte takes a moment and not minutes.

    >>> common_subsequence("the cat sat on the mat".split(), "the cat is on the mat".split())
    5
    """
    places: dict[str, int] = {}
    for place, word in enumerate(other):
        places[word] = places.get(word, 0) | 1 << place
    full = (1 << len(other)) - 1
    row = full
    for word in one:
        if matches := row & places.get(word, 0):
            row = ((row + matches) | (row - matches)) & full
    return len(other) - row.bit_count()


class RougeLScorer(Section):
    """ROUGE-L as F-measure (Lin 2004, equations 2 to 4, with precision and recall weighing the
    same); of several right answers the best counts."""

    several: ClassVar[bool] = True
    kind: Literal["rouge_l"] = "rouge_l"
    """The longest sequence of words in common, as the F-measure of ROUGE-L, without stemming."""

    def refusal(self, gold: str) -> str | None:
        """Return why `gold` cannot be scored against, or None."""
        return None if rouge_words(gold) else "a gold answer without letters or digits"

    def score(self, output: str, item: Item) -> Score:
        """Compare the words of `output` with those of every right answer."""
        found = rouge_words(output)
        return best_of(item, lambda gold: self._against(found, rouge_words(gold)))

    def _against(self, found: list[str], gold: list[str]) -> Score:
        common = common_subsequence(found, gold)
        value = 2 * common / (len(found) + len(gold)) if common else 0.0
        if value == 1.0:
            return Score(1.0)
        return Score(
            value, f"{common} words in order of {len(found)} written and {len(gold)} wanted"
        )
