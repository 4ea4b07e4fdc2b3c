"""The output is the gold answer but for case, width, spacing and punctuation around words."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, ClassVar, Literal

from evalsuite.scorers.score import RIGHT, Score, wrong
from workspace.recipe import Section

if TYPE_CHECKING:
    from evalsuite.tasks.item import Item

_ENDS = "".join(
    chr(code) for code in range(0x3100) if unicodedata.category(chr(code)).startswith("P")
)
# Before a number, a sign or a point belongs to it: "-5" is not "5" and ".5" is not "5".
_BEFORE_NUMBER = "".join(character for character in _ENDS if character not in "-.−%")
_ARTICLES = re.compile(r"\b(a|an|the)\b")


def normalise(text: str, *, articles: bool = False) -> str:
    """Fold case and width, drop punctuation at the ends of words, join words by one space.

    Args:
        text: any text.
        articles: drop English articles too, as SQuAD's metric does.

    >>> normalise(" The Answer is:  “-5”. ")
    'the answer is -5'
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    if articles:
        folded = _ARTICLES.sub(" ", folded)
    return " ".join(word for word in map(_bare, folded.split()) if word)


def _bare(word: str) -> str:
    start = _BEFORE_NUMBER if any(map(str.isdigit, word)) else _ENDS
    return word.lstrip(start).rstrip(_ENDS.replace("%", ""))


class NormalisedScorer(Section):
    """Right if output and gold are the same after `normalise`."""

    several: ClassVar[bool] = True
    kind: Literal["normalised"] = "normalised"
    """Equal but for case, punctuation and white space."""
    articles: bool = False
    """Pass over English articles."""

    def refusal(self, gold: str) -> str | None:
        """Return why `gold` cannot be scored against, or None."""
        if normalise(gold, articles=self.articles):
            return None
        return "a gold answer of which normalising leaves nothing"

    def score(self, output: str, item: Item) -> Score:
        """Compare `output` with every right answer."""
        found = normalise(output, articles=self.articles)
        if any(found == normalise(gold, articles=self.articles) for gold in item.right_answers):
            return RIGHT
        return wrong("differs from the gold answer")
