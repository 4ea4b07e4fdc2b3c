"""Which words of two answers differ, for showing them side by side."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache

from workspace.text import plain

MOST_WORDS = 300
"""Longer answers are shown without marks: comparing takes the square of their length."""
_WORD = re.compile(r"\s+|\w+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of an answer."""

    text: str
    differs: bool
    """Whether the other answer lacks it."""


@lru_cache(maxsize=512)
def word_diff(
    before: str, after: str, most_words: int = MOST_WORDS
) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
    """Return both answers in pieces; together the pieces are the answers, made plain.

    >>> [(piece.text, piece.differs) for piece in word_diff("a red fox", "a blue fox")[1]]
    [('a ', False), ('blue', True), (' fox', False)]
    """
    old, new = (_WORD.findall(plain(text)) for text in (before, after))
    if max(len(old), len(new)) > most_words or not old or not new:
        return (Piece(plain(before), False),), (Piece(plain(after), False),)
    left, right = [], []
    steps = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    shared = "".join("".join(old[a:b]) for kind, a, b, _, _ in steps if kind == "equal")
    if not any(map(str.isalnum, shared)):  # with no word in common marks would say nothing
        return (Piece("".join(old), False),), (Piece("".join(new), False),)
    for kind, a, b, c, d in steps:
        if a < b:
            left.append(Piece("".join(old[a:b]), kind != "equal"))
        if c < d:
            right.append(Piece("".join(new[c:d]), kind != "equal"))
    return tuple(left), tuple(right)
