"""The slips of people who type. A rule: no model, no cost."""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random
from typing import ClassVar, Literal

from curate.synth.generators.base import Bench, Draft, Lost, NewIn, OneParent, Task, reworded
from curate.synth.generators.configs import Noise

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_LEFT_ALONE = re.compile(
    r"```.*?```|`[^`]*`|\{[^{}]*\}|<[^<>]*>|\"[^\"]*\"|https?://\S+", re.DOTALL
)
"""Code, placeholders, tags, quotations and addresses: a slip there makes another task."""
_KEPT = frozenset({"not", "no", "never", "without", "none", "nor", "neither", "cannot"})
"""Dropping one turns the question around."""
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_BESIDE = {
    letter: row[max(0, place - 1) : place] + row[place + 1 : place + 2]
    for row in _ROWS
    for place, letter in enumerate(row)
}
"""Letters beside each other on a keyboard."""


class NoiseGenerator(OneParent):
    """Each task makes one copy of a question with slips of one kind."""

    name: ClassVar[str] = "noise"
    new_in: ClassVar[NewIn] = "bytes"
    makes: ClassVar[Literal["same", "messages", "preference"]] = "same"

    def __init__(self, config: Noise) -> None:
        self.config = config

    def per_row(self) -> int:
        """So many copies of a row."""
        return self.config.per_row

    async def make(self, task: Task, bench: Bench) -> list[Draft | Lost]:
        """Make one noisy copy."""
        parent, kinds = task.parents[0], self.config.kinds
        kind = kinds[(sum(parent.id.encode()) + task.nth) % len(kinds)]  # each row meets each kind
        question = noisy(parent.question, kind, self.config.rate, task.rng)
        return [reworded(task, question, (), note=kind.replace("_", " "))]


def noisy(text: str, kind: str, rate: float, rng: Random) -> str:
    """Return the text with slips of a kind in about `rate` of its words, at least one.

    >>> noisy("Please reset my password", "dropped_words", 0.1, Random(3))
    'Please my password'
    """
    places = _touchable(text)
    slip = _SLIPS[kind]
    able = [match for match in places if slip(match.group(), Random(0)) != match.group()]
    if not able or (kind == "dropped_words" and len(places) < 3):
        return text
    count = min(max(1, round(rate * len(places))), len(able))
    out, at = [], 0
    for match in sorted(rng.sample(able, count), key=lambda one: one.start()):
        begin, end = match.span()
        put = slip(match.group(), rng)
        out += [text[at:begin], put]
        at = end + 1 if not put and text[end : end + 1] == " " else end
    return "".join([*out, text[at:]])


def _touchable(text: str) -> list[re.Match[str]]:
    """Return the words outside of what is left alone, in their order."""
    spans = [match.span() for match in _LEFT_ALONE.finditer(text)]
    out, place = [], 0
    for word in _WORD.finditer(text):
        while place < len(spans) and spans[place][1] <= word.start():
            place += 1
        if any(map(str.isnumeric, word.group())):  # `²` is no digit to the pattern
            continue
        if place == len(spans) or word.end() <= spans[place][0]:
            out.append(word)
    return out


def _typo(word: str, rng: Random) -> str:
    if len(word) < 4 or word.lower() in _KEPT:
        return word
    at = rng.randrange(1, len(word) - 1)
    way = rng.choice(("swap", "double", "lose", "beside"))
    if way == "swap" and word[at] != word[at + 1]:
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    if way == "double":
        return word[:at] + word[at] + word[at:]
    if way == "beside" and word[at] in _BESIDE:
        return word[:at] + rng.choice(_BESIDE[word[at]]) + word[at + 1 :]
    return word[:at] + word[at + 1 :]


def _casing(word: str, rng: Random) -> str:
    ways = [way for way in (word.lower(), word.upper(), word.capitalize()) if way != word]
    return rng.choice(ways) if ways else word


def _dropped(word: str, rng: Random) -> str:
    return word if word.lower() in _KEPT or len(word) > 7 else ""


_SLIPS: dict[str, Callable[[str, Random], str]] = {
    "typos": _typo,
    "casing": _casing,
    "dropped_words": _dropped,
}
