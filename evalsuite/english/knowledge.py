"""Simple knowledge: each fact asked twice, as a choice by log-likelihood and as a short answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from evalsuite.english import facts
from evalsuite.english.making import Made, MadeTask


@dataclass(frozen=True)
class Fact:
    """A question with one right answer."""

    kind: str
    question: str
    answer: str
    others: tuple[str, ...]
    """Answers of the same kind that are wrong."""


def _table(kind: str, question: str, pairs: Sequence[tuple[str, str]]) -> Iterator[Fact]:
    answers = [answer for _, answer in pairs]
    for asked, answer in pairs:
        others = tuple(sorted({one for one in answers if one not in (answer, asked)}))
        yield Fact(kind, question.format(asked), answer, others)


def _calendar() -> Iterator[Fact]:
    for kind, names in (("month", facts.MONTHS), ("day", facts.DAYS)):
        for place, name in enumerate(names):
            after = names[(place + 1) % len(names)]
            before = names[place - 1]
            for word, answer in (("after", after), ("before", before)):
                others = tuple(one for one in names if one not in (answer, name))
                yield Fact("calendar", f"Which {kind} comes right {word} {name}?", answer, others)


def all_facts() -> list[Fact]:
    """Return every fact, each once."""
    return [
        *_table("capital", "What is the capital of {}?", facts.pairs(facts.CAPITALS)),
        *_table("element", "What is the chemical symbol of {}?", facts.pairs(facts.ELEMENTS)),
        *_table("opposite", 'What is the opposite of "{}"?', facts.pairs(facts.OPPOSITES)),
        *_table("young", "What is the young of a {} called?", facts.pairs(facts.YOUNG)),
        *_table("plural", 'What is the plural of "{}"?', facts.pairs(facts.PLURALS)),
        *_table("past", 'What is the simple past of "{}"?', facts.pairs(facts.PASTS)),
        *_table("number", "{}", facts.NUMBERS),
        *_calendar(),
    ]


def _choice(fact: Fact, topic: str, rng: Random) -> Made:
    choices = [fact.answer, *rng.sample(fact.others, 3)]
    rng.shuffle(choices)
    return Made(fact.answer, topic, fact.question, choices=tuple(choices))


def _short(fact: Fact, topic: str) -> Made:
    return Made(fact.answer, topic, fact.question)


def tasks(items: int) -> list[MadeTask]:
    """Return the tasks of this ability: a seeded draw of facts, each as choice and in writing.

    Raises:
        ValueError: more items than twice the facts.
    """
    rng = Random("knowledge")
    drawn = rng.sample(all_facts(), items // 2)
    named = [(fact, f"fact {number}") for number, fact in enumerate(drawn, start=1)]
    words = [one for one in named if one[0].kind != "number"]
    numbers = [one for one in named if one[0].kind == "number"]
    return [
        MadeTask("facts-choice", "knowledge", None, [_choice(*one, rng) for one in named]),
        MadeTask("facts-written", "knowledge", {"kind": "normalised", "articles": True},
                 [_short(*one) for one in words], 24,
                 suffix=" Write the answer only, without a sentence."),
        MadeTask("numbers-written", "knowledge", {"kind": "numeric"},
                 [_short(*one) for one in numbers], 24, suffix=" Write the number only."),
    ]  # fmt: skip
