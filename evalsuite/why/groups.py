"""Failed questions that are alike, as groups with names."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ALIKE = 0.5
"""Least cosine of two failed questions of one group, words weighted by rarity."""
SMALLEST = 3
"""Fewer alike are no pattern: they go to the others."""
_TELLING = 1.5
"""How much commoner than elsewhere a word of a group's name is: no word of a template."""
MOST_GROUPS = 6
MOST_ITEMS = 500
"""Failed items of one ability that are compared with each other; so many show what is wrong."""
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")


@dataclass(frozen=True)
class Group:
    """Places of failed questions, and what they are called."""

    name: str
    places: tuple[int, ...]


def grouped(questions: Sequence[str], failed: Sequence[int]) -> list[Group]:
    """Return the failed questions in groups, the largest first, what is left as `others`.

    Questions are joined where they are alike, directly or over others. A group's name is the words
    that most tell it from the ability's other questions.

    Args:
        questions: every question of an ability: rarity is learnt from them.
        failed: places of those that failed, at most `MOST_ITEMS` of which are compared.
    """
    compared = list(failed[:MOST_ITEMS])
    labels = _components([questions[place] for place in compared], questions)
    members: dict[int, list[int]] = {}
    for place, label in zip(compared, labels.tolist(), strict=True):
        members.setdefault(label, []).append(place)
    ranked = sorted(members.values(), key=lambda group: (-len(group), group[0]))
    alike = [group for group in ranked if len(group) >= SMALLEST][:MOST_GROUPS]
    taken = {place for group in alike for place in group}
    rest = tuple(place for place in failed if place not in taken)
    out = [Group(name_of(questions, group), tuple(group)) for group in alike]
    return [*out, Group("others" if out else "all", rest)] if rest else out


def _components(failed: Sequence[str], questions: Sequence[str]) -> NDArray[np.int64]:
    import polars as pl  # only where something failed

    from evalsuite.embedding.lexical import Lexical
    from evalsuite.similarity.cluster import components
    from evalsuite.similarity.tokens import tokenise

    lexical = Lexical.learn(tokenise(pl.Series(list(questions), dtype=pl.String)))
    vectors = lexical.encode(failed)
    first, second = np.nonzero(np.triu(vectors @ vectors.T >= ALIKE, k=1))
    return components(len(failed), first.astype(np.int64), second.astype(np.int64))


def name_of(questions: Sequence[str], group: Sequence[int], most: int = 3) -> str:
    """Return the words that most tell a group from the other questions.

    Ranked by the share of the group's questions that have the word, times the logarithm of how
    much commoner it is among them than elsewhere.

    >>> name_of(["red fish", "red bird", "old house", "old boat"], [0, 1])
    'red'
    """
    chosen = set(group)
    if len(chosen) == len(questions):
        return "alike"  # there are no others: words of the template would be the name
    inside = _counted(questions[place] for place in group)
    outside = _counted(text for place, text in enumerate(questions) if place not in chosen)
    others = max(1, len(questions) - len(group))

    def weight(word: str) -> float:
        here = inside[word] / len(group)
        there = (outside[word] + 0.5) / (others + 1)
        return here * math.log(here / there) if here > _TELLING * there else 0.0

    told = [word for word in inside if inside[word] > len(group) / 3 and weight(word) > 0]
    best = sorted(told, key=lambda word: (-weight(word), word))[:most]
    return ", ".join(best) or "alike"


def _counted(texts: Iterable[str]) -> Counter[str]:
    found: Counter[str] = Counter()
    for text in texts:
        found.update({word.lower() for word in _WORD.findall(text) if len(word) < 40})
    return found
