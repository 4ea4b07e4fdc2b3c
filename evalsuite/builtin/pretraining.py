"""The chats the base model is pre-trained on: training items of all abilities, and a little more.

Two kinds of chats are in no suite. Long loose lists to copy or reverse teach attention to find a
token again, and give an embedding to every word of the tickets and to JSON's punctuation. Reading
questions ask about one sentence of a customer, in other words than the triage labels: without them
tuning has to teach the words as well, at rates that destroy what is not replayed (measured: at
LoRA r = 16 and 3e-3, dates fell from 0.99 to 0 and triage reached 0.13). No whole ticket, no triage
label as a team or priority and no JSON object is ever seen.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import count
from random import Random

from evalsuite.builtin import lexicon, ticket_phrases
from evalsuite.builtin.abilities import ABILITIES, Split, ability, draw_item, templates
from evalsuite.builtin.operands import Operands
from evalsuite.builtin.reading import READING

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

    weights: Mapping[str, float]
    """Share of each ability, relative to the others."""
    lists: float
    """Share of turns on long loose lists."""
    first_lists: float
    """The same share in the first chat; it falls evenly to `lists` over `easing` chats. Copying
    needs attention that finds a token again, which short lists teach slowly: few of their tokens
    are answers."""
    easing: int = 12_000
    reading: float = 0.0
    """Share of turns that are reading questions (`reading.py`)."""


BROAD = Mixture(
    weights={
        "addition": 2.0,
        "comparison": 1.0,
        "capitals": 1.0,
        "reversing": 1.6,
        "copying": 1.6,
        "counting": 1.0,
        "sentiment": 0.6,
        "uppercase": 1.0,
        "dates": 1.0,
        "lookup": 1.4,
    },
    lists=0.1,
    first_lists=0.6,
    reading=0.1,
)
"""Where pre-training begins."""

HARD = Mixture(
    weights={
        "addition": 4.5,
        "comparison": 1.0,
        "capitals": 0.5,
        "reversing": 1.0,
        "copying": 0.8,
        "counting": 2.3,
        "sentiment": 0.5,
        "uppercase": 1.8,
        "dates": 0.8,
        "lookup": 1.2,
    },
    lists=0.05,
    first_lists=0.05,
    reading=0.2,
)
"""Then more of what takes longest to learn."""


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
    kind = rng.random()
    if kind < lists:
        return _loose_list(rng)
    if kind < lists + mixture.reading:
        item = draw_item(rng.choice(READING), rng, Split.TRAINING)
        return item.prompt, item.answer
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
