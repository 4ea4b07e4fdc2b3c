"""What the questions are about: one drawing function per ability, each with its right answer."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from evalsuite.builtin import lexicon


@dataclass(frozen=True)
class Operands:
    """The variable part of a question."""

    fields: Mapping[str, str]
    """What the wording is filled with."""
    key: str
    """Identity, blind to order where order does not matter."""
    answer: str
    cluster: str = ""


def sum_of_two(rng: Random) -> Operands:
    a, b = rng.randint(0, 99), rng.randint(0, 99)
    return Operands({"a": str(a), "b": str(b)}, f"{min(a, b)}+{max(a, b)}", str(a + b))


def larger_of_two(rng: Random) -> Operands:
    a, b = rng.sample(range(100), 2)
    return Operands({"a": str(a), "b": str(b)}, f"{min(a, b)}<{max(a, b)}", str(max(a, b)))


def capital_of_country(rng: Random) -> Operands:
    country = rng.choice(tuple(lexicon.CAPITALS))
    return Operands({"country": country}, country, lexicon.CAPITALS[country], cluster=country)


def words_reversed(rng: Random) -> Operands:
    words = _words(rng, lexicon.COMMON, 2, 5)
    return Operands({"words": " ".join(words)}, " ".join(words), " ".join(reversed(words)))


def words_copied(rng: Random) -> Operands:
    words = " ".join(_words(rng, lexicon.COMMON, 2, 6))
    return Operands({"words": words}, words, words)


def words_counted(rng: Random) -> Operands:
    words = _words(rng, lexicon.COMMON, 2, 6)
    return Operands({"words": " ".join(words)}, " ".join(words), str(len(words)))


def words_in_capitals(rng: Random) -> Operands:
    words = " ".join(_words(rng, lexicon.UPPER, 2, 3))
    return Operands({"words": words}, words, words.upper())


def sentiment_of_sentence(rng: Random) -> Operands:
    label, adjectives = rng.choice((("positive", lexicon.POSITIVE), ("negative", lexicon.NEGATIVE)))
    thing, adjective = rng.choice(lexicon.REVIEWED), rng.choice(adjectives)
    aside = rng.choice(lexicon.ASIDES)
    if rng.random() < 0.5:
        sentence = f"The {thing} was {adjective} and {aside}."
    else:
        article = "an" if adjective[0] in "aeiou" else "a"
        sentence = f"{aside[0].upper()}{aside[1:]}, {article} {adjective} {thing}."
    return Operands({"sentence": sentence}, sentence, label)


def date_in_iso(rng: Random) -> Operands:
    year, month = rng.randint(1950, 2049), rng.randint(1, 12)
    day = rng.randint(1, monthrange(year, month)[1])
    name = lexicon.MONTHS[month - 1]
    date = rng.choice((f"{day} {name} {year}", f"{name} {day}, {year}"))
    iso = f"{year}-{month:02d}-{day:02d}"
    return Operands({"date": date}, iso, iso)


def number_in_story(rng: Random) -> Operands:
    people = rng.randint(2, 3)
    names = rng.sample(lexicon.NAMES, people)
    things = rng.sample(lexicon.THINGS, people)
    counts = [rng.randint(2, 9) for _ in range(people)]
    owners = list(zip(names, counts, things, strict=True))
    story = " ".join(f"{name} has {count} {thing}." for name, count, thing in owners)
    name, count, thing = rng.choice(owners)
    return Operands({"story": story, "name": name, "thing": thing}, story, str(count))


def _words(rng: Random, lexicon_part: Sequence[str], low: int, high: int) -> list[str]:
    return rng.sample(lexicon_part, rng.randint(low, high))
