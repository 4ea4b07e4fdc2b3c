"""Instructions whose keeping a program can check: counts, texts, case, beginning and end, JSON."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from evalsuite.english.making import Made, MadeTask, distinct, in_turn

SUBJECTS = (
    "rivers", "bread", "bicycles", "winter", "libraries", "bees", "mountains", "trains", "tea",
    "gardens", "lighthouses", "maps", "horses", "bridges", "clocks", "football", "markets",
    "forests", "islands", "museums", "kites", "snow", "harbours", "violins", "deserts", "owls",
    "cheese", "chess", "rain", "volcanoes", "whales", "windmills", "candles", "castles", "dogs",
    "apples", "mirrors", "letters", "boats", "the moon",
)  # fmt: skip
_WORDS = (
    "morning", "village", "golden", "quiet", "simple", "travel", "yellow", "friend", "water",
    "summer", "useful", "family", "market", "winter", "colour", "people", "silver", "almost",
)  # fmt: skip
_FORBIDDEN = ("very", "and", "is", "many", "they", "often", "people", "also", "with", "that")
_LETTERS = ("z", "q", "x", "j", "k", "v")
_BEGINNINGS = ("Well,", "To begin with,", "In short,", "Listen:", "As you know,", "Once again,")
_ENDINGS = ("That is all.", "The end.", "So it is.", "Thank you for reading.", "And that is that.")
_KEYS = ("title", "summary", "author", "year", "tags", "country", "rating", "language", "pages")
_ASKS = ("Write about {}.", "Tell me something about {}.", "Say something true about {}.",
         "Write a text about {}.", "Describe {} to a friend.")  # fmt: skip


@dataclass(frozen=True)
class _Wish:
    """One instruction and how it is checked."""

    kind: str
    said: str
    checks: tuple[dict[str, Any], ...]


def _number(of: str, least: int | None, most: int | None) -> dict[str, Any]:
    bounds = {"at_least": least, "at_most": most}
    return {"check": "count", "of": of} | {k: v for k, v in bounds.items() if v is not None}


def _words(rng: Random) -> _Wish:
    if rng.random() < 0.5:
        most = rng.randrange(20, 80, 5)
        return _Wish("few words", f"Use at most {most} words.", (_number("words", None, most),))
    least = rng.randrange(30, 90, 10)
    return _Wish("many words", f"Use at least {least} words.", (_number("words", least, None),))


def _sentences(rng: Random) -> _Wish:
    n = rng.randint(2, 6)
    return _Wish("sentences", f"Write exactly {n} sentences.", (_number("sentences", n, n),))


def _paragraphs(rng: Random) -> _Wish:
    n = rng.randint(2, 4)
    said = f"Write exactly {n} paragraphs with an empty line between them and no heading."
    return _Wish("paragraphs", said, (_number("paragraphs", n, n),))


def _bullets(rng: Random) -> _Wish:
    n = rng.randint(3, 7)
    said = f'Answer with a list of exactly {n} points, each on a line of its own beginning with "- ", and nothing else.'  # noqa: E501
    return _Wish("bullets", said, (_number("bullets", n, n), _number("lines", n, n)))


def _numbered(rng: Random) -> _Wish:
    n = rng.randint(3, 7)
    said = f"Answer with a numbered list of exactly {n} points (1., 2. and so on), one a line, and nothing else."  # noqa: E501
    return _Wish("numbered", said, (_number("numbered", n, n), _number("lines", n, n)))


def _includes(rng: Random) -> _Wish:
    word = rng.choice(_WORDS)
    if rng.random() < 0.4:
        times = rng.randint(2, 3)
        check = {"check": "includes", "text": word, "times": times}
        said = f'Use the word "{word}" at least {times} times.'
        return _Wish("includes often", said, (check,))
    said = f'Use the word "{word}".'
    return _Wish("includes", said, ({"check": "includes", "text": word},))


def _excludes(rng: Random) -> _Wish:
    if rng.random() < 0.5:
        word = rng.choice(_FORBIDDEN)
        said = f'Do not use the word "{word}".'
        return _Wish("excludes word", said, ({"check": "excludes", "text": word},))
    letter = rng.choice(_LETTERS)
    check = {"check": "excludes", "text": letter, "whole_words": False}
    return _Wish("excludes letter", f'Do not use the letter "{letter}" anywhere.', (check,))


def _no_commas(rng: Random) -> _Wish:
    check = {"check": "excludes", "text": ",", "whole_words": False}
    return _Wish("no commas", "Do not use any commas.", (check,))


def _case(rng: Random) -> _Wish:
    if rng.random() < 0.5:
        said = "Write everything in capital letters."
        return _Wish("upper", said, ({"check": "case", "case": "upper"},))
    said = "Write everything in small letters, without a single capital."
    return _Wish("lower", said, ({"check": "case", "case": "lower"},))


def _start(rng: Random) -> _Wish:
    text = rng.choice(_BEGINNINGS)
    said = f'Begin your answer with "{text}"'
    return _Wish("beginning", said, ({"check": "starts_with", "text": text},))


def _end(rng: Random) -> _Wish:
    text = rng.choice(_ENDINGS)
    said = f'End your answer with "{text}" and write nothing after it.'
    return _Wish("end", said, ({"check": "ends_with", "text": text},))


Maker = Callable[[Random], _Wish]
_SIZES: tuple[Maker, ...] = (_words, _sentences, _paragraphs, _bullets, _numbered)
_LISTS = (_bullets, _numbered)
_OTHERS: tuple[Maker, ...] = (_includes, _excludes, _no_commas, _case, _start, _end)


def _clash(wishes: list[_Wish], subject: str) -> bool:
    """Whether wishes contradict each other or the subject, or any short answer keeps them all."""
    kinds = {wish.kind for wish in wishes}
    if kinds <= _EASY:
        return True
    fixed = bool(kinds & {"beginning", "end"})
    if fixed and kinds & {"upper", "lower", "bullets", "numbered"}:
        return True
    if {"beginning", "no commas"} <= kinds:
        return True
    wanted = [c["text"] for w in wishes for c in w.checks if c["check"] in _WANTED]
    texts = " ".join([subject, *wanted]).lower()
    barred = [c for w in wishes for c in w.checks if c["check"] == "excludes"]
    return any(
        c["text"] in (texts if c.get("whole_words") is False else re.findall(r"\w+", texts))
        for c in barred
    )


_EASY = {"few words", "excludes word", "excludes letter", "no commas"}
"""What "I do not know." keeps too."""
_WANTED = ("includes", "starts_with", "ends_with")


def _combined(size: Maker | None, others: int) -> Callable[[Random], Made]:
    def draw(rng: Random) -> Made:
        while True:
            subject = rng.choice(SUBJECTS)
            makers = [*([size] if size else []), *rng.sample(_OTHERS, others)]
            wishes = [maker(rng) for maker in makers]
            if not _clash(wishes, subject):
                break
        said = " ".join([rng.choice(_ASKS).format(subject), *(wish.said for wish in wishes)])
        checks = [check for wish in wishes for check in wish.checks]
        return Made(checks, " + ".join(wish.kind for wish in wishes), said)

    return draw


def _json_only(rng: Random) -> Made:
    keys = rng.sample(_KEYS, rng.randint(2, 5))
    quoted = ", ".join(f'"{key}"' for key in keys)
    prompt = (
        f"Invent a book about {rng.choice(SUBJECTS)}. Answer with one JSON object and nothing "
        f"else. It must have exactly these keys: {quoted}."
    )
    return Made([{"check": "json", "keys": keys}], f"json with {len(keys)} keys", prompt)


def tasks(items: int) -> list[MadeTask]:
    """Return the task of this ability: one to three instructions an item."""
    draws = [_combined(size, others) for size in _SIZES for others in (0, 1, 2)]
    draws += [_combined(None, 1), _combined(None, 2), _combined(None, 3), _json_only]
    made = distinct(in_turn(draws), "instructions", items)
    return [MadeTask("instructions", "instructions", {"kind": "constraints"}, made, 384)]
