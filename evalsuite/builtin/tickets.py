"""Support tickets and their triage: what the demo tunes the built-in model for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from random import Random

from evalsuite.builtin import ticket_phrases as phrases
from evalsuite.builtin.abilities import stable_bucket

TEAMS = tuple(phrases.ISSUES)
PRIORITIES = tuple(phrases.URGENCY)
PRODUCTS = tuple(phrases.PRODUCTS)


INSTRUCTION = "Triage this ticket as JSON."
"""What every prompt of the task begins with, in the raw rows and in the suite."""


class TicketSplit(StrEnum):
    """Who owns a combination of issue, product phrase and urgency."""

    SUITE = "suite"
    EXAMPLES = "examples"
    RAW = "raw"


@dataclass(frozen=True)
class Ticket:
    """One support ticket with its labels."""

    text: str
    team: str
    priority: str
    product: str
    combination: str
    """Issue, product phrase and urgency: what decides the split."""

    @property
    def answer(self) -> str:
        return triage_json(self.team, self.priority, self.product)

    @property
    def split(self) -> TicketSplit:
        bucket = stable_bucket(self.combination, 16)
        if bucket < 2:
            return TicketSplit.SUITE
        return TicketSplit.EXAMPLES if bucket == 2 else TicketSplit.RAW


def triage_prompt(text: str) -> str:
    """The task and its ticket, as Alpaca's instruction and input are joined."""
    return f"{INSTRUCTION}\n\n{text}"


def triage_json(team: str, priority: str, product: str) -> str:
    """The answer that is wanted: compact JSON, keys in this order."""
    return f'{{"team":"{team}","priority":"{priority}","product":"{product}"}}'


def draw_ticket(
    rng: Random, split: TicketSplit, team_weights: Mapping[str, float] | None = None
) -> Ticket:
    """A ticket of `split`; teams are drawn by weight, evenly when there are none."""
    weights = [(team_weights or {}).get(team, 1.0) for team in TEAMS]
    while True:
        ticket = _compose(rng, rng.choices(TEAMS, weights)[0])
        if ticket.split is split:
            return ticket


def draw_tickets(
    rng: Random, split: TicketSplit, count: int, team_weights: Mapping[str, float] | None = None
) -> Iterator[Ticket]:
    """`count` tickets whose texts all differ."""
    texts: set[str] = set()
    while len(texts) < count:
        ticket = draw_ticket(rng, split, team_weights)
        if ticket.text not in texts:
            texts.add(ticket.text)
            yield ticket


def _compose(rng: Random, team: str) -> Ticket:
    product = rng.choice(PRODUCTS)
    priority = rng.choice(PRIORITIES)
    issue = rng.choice(phrases.ISSUES[team])
    named = rng.choice(phrases.PRODUCTS[product])
    urgency = rng.choice(phrases.URGENCY[priority])
    body = as_sentence(issue.format(product=named, when=rng.choice(phrases.WHEN)))
    sentences = [body, as_sentence(urgency), *draw_asides(rng)]
    if rng.random() < 0.3:
        rng.shuffle(sentences)
    elif rng.random() < 0.5:
        sentences[1:] = sentences[:0:-1]
    text = _letter(rng, sentences)
    return Ticket(text, team, priority, product, f"{issue}|{named}|{urgency}")


def draw_asides(rng: Random) -> list[str]:
    """No or one sentence that says nothing about the labels."""
    chosen = rng.sample(phrases.ASIDES, rng.choice((0, 1, 1)))
    number = str(rng.randint(3, 99))
    return [as_sentence(a.format(number=number, city=rng.choice(phrases.CITIES))) for a in chosen]


def _letter(rng: Random, sentences: list[str]) -> str:
    greeting, closing = rng.choice(phrases.GREETINGS), rng.choice(phrases.CLOSINGS)
    head = [f"{greeting},"] if greeting else []
    tail = [f"{closing}, {rng.choice(phrases.SIGNATURES)}"] if closing else []
    return " ".join([*head, *sentences, *tail])


def as_sentence(words: str) -> str:
    """With a capital, and the full stop or question mark it needs."""
    question = words.lower().startswith(("how ", "can ", "could ", "what ", "when "))
    return words[0].upper() + words[1:] + ("?" if question else ".")
