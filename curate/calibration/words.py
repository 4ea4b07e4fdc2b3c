"""The words and values of a person's own rows, from which edits and siblings are made."""

from __future__ import annotations

import re
from dataclasses import dataclass
from random import Random

from evalsuite.similarity.tokens import NEGATIONS

NUMBER = re.compile(r"\d+")
QUOTED = re.compile(r'"[^"\n]{2,40}"|“[^”\n]{2,40}”')
NAME = re.compile(r"(?<=[a-z0-9,;:)] )[A-Z][A-Za-z]{2,}")
"""A word with a capital that no sentence begins with."""
_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True)
class Material:
    """What the rows are made of."""

    words: tuple[str, ...]
    """Words as often as they occur; without numbers, operators and negations, which would make
    another row of an edited one."""
    names: tuple[str, ...]
    quotes: tuple[str, ...]

    @classmethod
    def of(cls, texts: list[str], most: int = 200_000) -> Material:
        """Collect from texts; after `most` words there are enough."""
        words: list[str] = []
        names: set[str] = set()
        quotes: set[str] = set()
        for text in texts:
            if len(words) < most:
                words += [word for word in text.split() if is_plain(word)]
            names.update(NAME.findall(text))
            quotes.update(QUOTED.findall(text))
        return cls(tuple(words), tuple(sorted(names)), tuple(sorted(quotes)))


def is_plain(word: str) -> bool:
    """Return whether a word can be edited without turning the sentence around."""
    core = word.strip(".,;:!?()").lower()
    return bool(_WORD.fullmatch(core)) and core not in NEGATIONS and core != "cannot"


def other(values: tuple[str, ...], than: str, rng: Random) -> str | None:
    """Return a value that is not `than`, or None where there is none."""
    for _ in range(8):
        found = rng.choice(values) if values else than
        if found != than:
            return found
    return None
