"""The chats the base model is pre-trained on: training items of all abilities, and a little more.

The extra chats are long loose lists to copy or reverse. They teach attention to find a token again,
and give an embedding to every word of the tickets and to JSON's punctuation: shuffled, so that no
ticket and no JSON object is ever seen.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from random import Random

from evalsuite.builtin import lexicon, ticket_phrases
from evalsuite.builtin.abilities import ABILITIES, Split, ability, draw_item, templates
from evalsuite.builtin.operands import Operands

Message = dict[str, str]

SYSTEM_PROMPTS = (
    "You are a helpful assistant.",
    "You answer in as few words as possible.",
    "Answer the question.",
    "You are a careful clerk.",
    "Be exact.",
)


@dataclass(frozen=True)
class Mixture:
    """What a stage of pre-training is made of."""

    weights: Mapping[str, float] = field(
        default_factory=lambda: {known.name: known.weight for known in ABILITIES}
    )
    """Share of each ability, relative to the others."""
    first_lists: float = 0.6
    """Share of turns on long loose lists in the first chat. Copying needs attention that finds a
    token again, which short lists teach slowly: few of their tokens are answers."""
    lists: float = 0.1
    """The same share after `easing` chats; it falls evenly."""
    easing: int = 12_000


BROAD = Mixture()
HARD = Mixture(
    weights={
        "addition": 4.0,
        "comparison": 0.6,
        "capitals": 0.6,
        "reversing": 1.5,
        "copying": 0.8,
        "counting": 2.0,
        "sentiment": 0.5,
        "uppercase": 2.5,
        "dates": 0.6,
        "lookup": 2.5,
    },
    first_lists=0.05,
    lists=0.05,
)
"""More of what takes longest to learn."""


def draw_chat(rng: Random, mixture: Mixture, lists: float) -> list[Message]:
    """One chat: mostly one turn, sometimes up to four, sometimes with a system prompt."""
    messages: list[Message] = []
    if rng.random() < 0.08:
        messages.append({"role": "system", "content": rng.choice(SYSTEM_PROMPTS)})
    turns = rng.randint(2, 4) if rng.random() < 0.1 else 1
    for _ in range(turns):
        prompt, answer = draw_turn(rng, mixture, lists)
        messages.append({"role": "user", "content": prompt})
        messages.append({"role": "assistant", "content": answer})
    return messages


def draw_turn(rng: Random, mixture: Mixture, lists: float) -> tuple[str, str]:
    """One prompt and its answer; a long loose list with probability `lists`."""
    if rng.random() < lists:
        return _loose_list(rng)
    (chosen,) = rng.choices(ABILITIES, [mixture.weights[a.name] for a in ABILITIES])
    item = draw_item(chosen, rng, Split.TRAINING)
    return item.prompt, item.answer


def draw_chats(seed: int, mixture: Mixture = BROAD) -> Iterator[list[Message]]:
    """An endless stream of chats, the same for the same seed."""
    rng = Random(seed)
    for number in count():
        eased = max(0.0, 1 - number / mixture.easing)
        lists = mixture.lists + (mixture.first_lists - mixture.lists) * eased
        yield draw_chat(rng, mixture, lists)


@cache
def ticket_words() -> tuple[str, ...]:
    """Every word that a ticket can hold, with its capitals."""
    pools = [
        *ticket_phrases.ISSUES.values(),
        *ticket_phrases.PRODUCTS.values(),
        *ticket_phrases.URGENCY.values(),
        ticket_phrases.WHEN,
        ticket_phrases.GREETINGS,
        ticket_phrases.ASIDES,
        ticket_phrases.CITIES,
        ticket_phrases.CLOSINGS,
        ticket_phrases.SIGNATURES,
        (*ticket_phrases.ISSUES, *ticket_phrases.PRODUCTS, *ticket_phrases.URGENCY),
        ("team", "priority", "product"),
    ]
    words = {w for pool in pools for text in pool for w in re.findall(r"[A-Za-z]+", text)}
    starts = {issue.split()[0].capitalize() for pool in pools for issue in pool if issue}
    return tuple(sorted(words | {start for start in starts if start.isalpha()}))


@cache
def _loose_words() -> tuple[str, ...]:
    return tuple(sorted({*ticket_words(), *lexicon.COMMON}))


def _loose_list(rng: Random) -> tuple[str, str]:
    while True:
        words, text, asked = _draw_list(rng)
        known = ability(asked)
        if known.split_of(Operands({}, text, "")) is Split.TRAINING:
            break
    template = rng.choice(templates(known, Split.TRAINING))
    answer = " ".join(reversed(words)) if asked == "reversing" else text
    return template.fill({"words": text}), answer


def _draw_list(rng: Random) -> tuple[list[str], str, str]:
    """Words, how they are written, and what is asked; longer than any suite item."""
    words = [rng.choice(_loose_words()) for _ in range(rng.randint(3, 14))]
    kind = rng.random()
    if kind < 0.25:
        return words, " ".join(words), "reversing"
    if kind < 0.6:
        return words, " ".join(words), "copying"
    if kind < 0.8:
        marks = ("", "", ",", ".", "?")
        return words, " ".join(word + rng.choice(marks) for word in words), "copying"
    return words, "".join(word + rng.choice(lexicon.JSON_JOINTS) for word in words), "copying"
