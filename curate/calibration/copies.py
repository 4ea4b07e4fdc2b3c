"""Copies of a row that a person would call the same: each must go."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from random import Random

from curate.calibration.words import Material, is_plain, other

Edit = Callable[[str, Material, Random], str]

_SENTENCES = re.compile(r"(?<=[.!?。！？])\s+|\n+")
_STOP = re.compile(r"(?<=[^\W\d_])[.,;:!?]+(?=\s|$)")
_BEFORE = ("Please help. ", "Hello, ", "Question: ", "Hi there! ", "A request: ")
_AFTER = (" Thank you!", " Thanks in advance.", " Please answer.", " Kind regards")


def noise(text: str, material: Material, rng: Random) -> str:
    """Another case, other white space, sentence punctuation gone."""
    text = rng.choice((str.lower, str.upper, str.capitalize, str.swapcase))(text)
    if rng.random() < 0.7:
        text = _STOP.sub("", text)
    return rng.choice(("  ", "\n", "\t")).join(text.split(" ")) if rng.random() < 0.5 else text


def typos(text: str, material: Material, rng: Random) -> str:
    """Two letters swapped, one lost or one doubled in a twentieth of the words."""

    def mistyped(word: str) -> str:
        at = rng.randrange(1, len(word) - 1)
        return rng.choice(
            (
                word[:at] + word[at + 1] + word[at] + word[at + 2 :],
                word[:at] + word[at + 1 :],
                word[:at] + word[at] + word[at:],
            )
        )

    words = text.split(" ")
    places = [n for n, word in enumerate(words) if len(word) > 4 and is_plain(word)]
    for place in rng.sample(places, min(len(places), max(1, len(words) // 20))):
        words[place] = mistyped(words[place])
    return " ".join(words)


def edited(text: str, material: Material, rng: Random, *, share: float) -> str:
    """Words replaced (half), left out, put in and swapped, at `share` of all places."""
    words = text.split(" ")
    places = [n for n, word in enumerate(words) if is_plain(word)]
    for place in rng.sample(places, min(len(places), max(1, round(share * len(words))))):
        act = rng.random()
        new = other(material.words, words[place], rng) or words[place]
        if act < 0.5:
            words[place] = new
        elif act < 0.7:
            words[place] = ""
        elif act < 0.85:
            words[place] += f" {new}"
        elif place + 1 < len(words) and is_plain(words[place + 1]):
            words[place], words[place + 1] = words[place + 1], words[place]
        else:
            words[place] = new
    return " ".join(filter(None, words))


def framed(text: str, material: Material, rng: Random) -> str:
    """A courtesy before or after."""
    return rng.choice(_BEFORE) + text if rng.random() < 0.5 else text + rng.choice(_AFTER)


def turned(text: str, material: Material, rng: Random) -> str:
    """The sentences in the opposite order; a single one stays as it is."""
    return " ".join(reversed(_SENTENCES.split(text.strip())))


EDITS: dict[str, Edit] = {
    "case, punctuation, spaces": noise,
    "typos": typos,
    "5 % of words edited": partial(edited, share=0.05),
    "10 % of words edited": partial(edited, share=0.10),
    "20 % of words edited": partial(edited, share=0.20),
    "prefix or suffix": framed,
    "sentences turned around": turned,
}
"""Class of copy → how it is made of a text."""
