"""Reading questions for pre-training: what one sentence of a customer is about.

A language model that is going to be tuned on tickets has met such sentences before. The base
model gets this much of it: one sentence at a time, never a whole ticket, and answers in other
words than the labels of the triage task.
"""

from __future__ import annotations

from random import Random

from evalsuite.builtin import ticket_phrases as phrases
from evalsuite.builtin.abilities import Ability
from evalsuite.builtin.operands import Operands
from evalsuite.builtin.tickets import as_sentence, draw_asides

TOPICS = {
    "billing": "money",
    "shipping": "transport",
    "accounts": "sign in",
    "technical": "a fault",
    "returns": "giving back",
}
PACES = {"high": "now", "normal": "in some days", "low": "later"}


def _topic(rng: Random) -> Operands:
    team = rng.choice(tuple(phrases.ISSUES))
    _, issue = _issue(rng, team)
    return _about(rng, issue, TOPICS[team])


def _pace(rng: Random) -> Operands:
    priority = rng.choice(tuple(phrases.URGENCY))
    urgency = as_sentence(rng.choice(phrases.URGENCY[priority]))
    return _about(rng, urgency, PACES[priority])


def _thing(rng: Random) -> Operands:
    product, issue = _issue(rng, rng.choice(tuple(phrases.ISSUES)))
    return _about(rng, issue, product)


def _issue(rng: Random, team: str) -> tuple[str, str]:
    product = rng.choice(tuple(phrases.PRODUCTS))
    named = rng.choice(phrases.PRODUCTS[product])
    issue = rng.choice(phrases.ISSUES[team])
    return product, as_sentence(issue.format(product=named, when=rng.choice(phrases.WHEN)))


def _about(rng: Random, sentence: str, answer: str) -> Operands:
    sentences = [sentence, *draw_asides(rng)]
    rng.shuffle(sentences)
    text = " ".join(sentences)
    return Operands({"text": text}, text, answer)


READING = (
    Ability(
        "topic",
        _topic,
        ("What is this about? {text}", "{text} What is it about?"),
        disjoint_operands=False,
    ),
    Ability(
        "pace",
        _pace,
        ("How soon must it be done? {text}", "{text} How soon?"),
        disjoint_operands=False,
    ),
    Ability(
        "thing",
        _thing,
        ("Which thing is meant? {text}", "{text} Which thing is it?"),
        disjoint_operands=False,
    ),
)
"""Pre-training only: in no suite and never replayed."""
