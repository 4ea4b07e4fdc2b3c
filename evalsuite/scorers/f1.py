"""The share of words that output and gold answer have in common."""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter
from functools import cache
from typing import TYPE_CHECKING, ClassVar, Literal

from evalsuite.scorers.score import Score, best_of
from workspace.recipe import Section

if TYPE_CHECKING:
    from evalsuite.tasks.item import Item

_ARTICLES = re.compile(r"\b(a|an|the)\b")


def squad_words(text: str) -> list[str]:
    """Return the words of a text as SQuAD's metric compares them: lower case, without
    punctuation and English articles.

    Source: the official evaluate-v1.1.py of SQuAD (Rajpurkar et al. 2016), with which this agrees
    on ASCII texts. Punctuation of other scripts is dropped too.

    >>> squad_words("The Beatles' first album.")
    ['beatles', 'first', 'album']
    """
    bare = "".join(character for character in text.lower() if not _is_punctuation(character))
    return _ARTICLES.sub(" ", bare).split()


@cache
def _is_punctuation(character: str) -> bool:
    return character in string.punctuation or unicodedata.category(character).startswith("P")


def token_f1(found: list[str], gold: list[str]) -> float:
    """Return the harmonic mean of precision and recall of words, each counted as often as it is.

    >>> token_f1(["in", "paris"], ["paris"])
    0.6666666666666666
    """
    common = sum((Counter(found) & Counter(gold)).values())
    return 2 * common / (len(found) + len(gold)) if common else 0.0


class F1Scorer(Section):
    """Token F1 as SQuAD has it; of several right answers the best counts."""

    several: ClassVar[bool] = True
    kind: Literal["f1"] = "f1"
    """The words that output and gold have in common (SQuAD's F1). All punctuation is dropped, so
    that -5 is 5 and 3.5 is 35: for numbers take `numeric`."""

    def refusal(self, gold: str) -> str | None:
        """Return why `gold` cannot be scored against, or None."""
        if squad_words(gold):
            return None
        return "a gold answer without words, but for articles and punctuation"

    def score(self, output: str, item: Item) -> Score:
        """Compare the words of `output` with those of every right answer."""
        found = squad_words(output)
        return best_of(item, lambda gold: self._against(found, squad_words(gold)))

    def _against(self, found: list[str], gold: list[str]) -> Score:
        value = token_f1(found, gold)
        if value == 1.0:
            return Score(1.0)
        shared = sum((Counter(found) & Counter(gold)).values())
        return Score(
            value, f"{shared} words in common of {len(found)} written and {len(gold)} wanted"
        )
