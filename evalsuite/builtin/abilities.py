"""The abilities of the built-in model: what is asked, and the one right answer.

Each ability composes its prompts from an opener, a request and a frame, filled with operands.
Two splits never meet:

- ``training``: seen frames, seen combinations, operands of hash buckets 1-4. Pre-training and
  replay rows draw from here alone.
- ``retention``: frames never seen or combinations held out, operands of hash bucket 0. The
  retention suite draws from here alone.

Capitals are knowledge, so every country is in both splits; only the wording differs, and the
country is the cluster of the item.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from hashlib import blake2b
from random import Random

from evalsuite.builtin import operands
from evalsuite.builtin.operands import Operands


class Split(StrEnum):
    """Which side of the wall an item is drawn from."""

    TRAINING = "training"
    RETENTION = "retention"


@dataclass(frozen=True)
class Ability:
    """One thing the base model can do, checkable by program."""

    name: str
    draw: Callable[[Random], Operands]
    """Draws operands of either split."""
    requests: tuple[str, ...]
    """Ways to ask, with the operand fields in braces."""
    held_back: bool = False
    """Pre-trained, but never in replay rows."""
    disjoint_operands: bool = True
    """False for knowledge: the same operand may be asked in both splits, in other words."""

    def split_of(self, found: Operands) -> Split | None:
        """The split that owns these operands; None when both may use them."""
        if not self.disjoint_operands:
            return None
        held_out = stable_bucket(f"{self.name}:{found.key}", 5) == 0
        return Split.RETENTION if held_out else Split.TRAINING

    def draw_from(self, rng: Random, split: Split) -> Operands:
        """Draws operands until some belong to `split`."""
        while True:
            found = self.draw(rng)
            if self.split_of(found) in (None, split):
                return found


@dataclass(frozen=True)
class Item:
    """One question with its answer."""

    ability: str
    prompt: str
    answer: str
    key: str
    """Identity of the operands, the same whatever the wording."""
    template: str
    """The wording with its fields unfilled."""
    cluster: str
    """Items of equal cluster are not independent."""


OPENERS = (
    "",
    "Hello. ",
    "Hi there. ",
    "Next task. ",
    "One more. ",
    "Here is another one. ",
    "A quick question. ",
    "I need some help. ",
)
SEEN_FRAMES = (
    "{body}",
    "{body}\nThanks.",
    "{body}\nAnswer:",
    "Task: {body}",
    "Question: {body}",
    "{body}\nOnly the answer, please.",
    "{body}\nGive the answer.",
    "{body}\nPlease answer this.",
    "{body}\nShort answer:",
    "{body}\nThank you very much.",
    "Problem: {body}",
    "My next question: {body}",
)
UNSEEN_FRAMES = (
    "Next: {body}",
    "Task: {body}\nThanks.",
    "Question: {body}\nAnswer:",
    "{body}\nThe answer, please.",
)


@dataclass(frozen=True)
class Template:
    """Opener + request inside a frame."""

    opener: str
    request: str
    frame: str

    @property
    def text(self) -> str:
        return self.frame.format(body=self.opener + self.request)

    def fill(self, fields: Mapping[str, str]) -> str:
        return self.frame.format(body=self.opener + self.request.format(**fields))


@cache
def templates(ability: Ability, split: Split) -> tuple[Template, ...]:
    """All wordings of one split: unseen frames and a quarter of the combinations are retention."""
    seen = [
        Template(opener, request, frame)
        for opener in OPENERS
        for request in ability.requests
        for frame in SEEN_FRAMES
    ]
    held_out = {t for t in seen if stable_bucket(f"{ability.name}:{t.text}", 4) == 0}
    if split is Split.TRAINING:
        return tuple(t for t in seen if t not in held_out)
    unseen = [
        Template(opener, request, frame)
        for opener in OPENERS
        for request in ability.requests
        for frame in UNSEEN_FRAMES
    ]
    return tuple([t for t in seen if t in held_out] + unseen)


def draw_item(ability: Ability, rng: Random, split: Split) -> Item:
    """One item of `ability` from `split`."""
    found = ability.draw_from(rng, split)
    template = rng.choice(templates(ability, split))
    return Item(
        ability=ability.name,
        prompt=template.fill(found.fields),
        answer=found.answer,
        key=found.key,
        template=template.text,
        cluster=found.cluster,
    )


def draw_distinct(ability: Ability, rng: Random, split: Split, count: int) -> Iterator[Item]:
    """`count` items with prompts that all differ."""
    prompts: set[str] = set()
    while len(prompts) < count:
        item = draw_item(ability, rng, split)
        if item.prompt not in prompts:
            prompts.add(item.prompt)
            yield item


def stable_bucket(text: str, buckets: int) -> int:
    """A bucket that is the same on every machine and in every version."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big") % buckets


ABILITIES: tuple[Ability, ...] = (
    Ability(
        "addition",
        operands.sum_of_two,
        ("What is {a} + {b}?", "Add {a} and {b}.", "Compute {a} + {b}.", "{a} plus {b} is?"),
    ),
    Ability(
        "comparison",
        operands.larger_of_two,
        (
            "Which is larger, {a} or {b}?",
            "Give the larger number: {a} or {b}.",
            "Of {a} and {b}, which is more?",
            "Pick the bigger one of {a} and {b}.",
        ),
        held_back=True,
    ),
    Ability(
        "capitals",
        operands.capital_of_country,
        (
            "What is the capital of {country}?",
            "Name the capital city of {country}.",
            "Which city is the capital of {country}?",
            "Tell me the capital of {country}.",
        ),
        disjoint_operands=False,
    ),
    Ability(
        "reversing",
        operands.words_reversed,
        (
            "Reverse these words: {words}",
            "Write these words in reverse order: {words}",
            "Say these words backwards: {words}",
            "From last to first: {words}",
        ),
    ),
    Ability(
        "copying",
        operands.words_copied,
        (
            "Repeat these words: {words}",
            "Copy this: {words}",
            "Say this again: {words}",
            "Write the same words: {words}",
        ),
    ),
    Ability(
        "counting",
        operands.words_counted,
        (
            "How many words are here: {words}",
            "Count these words: {words}",
            "Give the number of words: {words}",
            "Tell me how many words this has: {words}",
        ),
    ),
    Ability(
        "sentiment",
        operands.sentiment_of_sentence,
        (
            "Is this positive or negative? {sentence}",
            "What is the sentiment of this? {sentence}",
            "Positive or negative: {sentence}",
            "Sentiment: {sentence}",
        ),
    ),
    Ability(
        "uppercase",
        operands.words_in_capitals,
        (
            "Write in capital letters: {words}",
            "Change to upper case: {words}",
            "Make this upper case: {words}",
            "In capitals, please: {words}",
        ),
    ),
    Ability(
        "dates",
        operands.date_in_iso,
        (
            "Write this date as year-month-day: {date}",
            "Change the date {date} to year-month-day.",
            "Give the date {date} in numbers.",
            "What is {date} as year-month-day?",
        ),
        held_back=True,
    ),
    Ability(
        "lookup",
        operands.number_in_story,
        (
            "{story} How many {thing} does {name} have?",
            "{story} Give the number of {thing} {name} has.",
            "Read this. {story} How many {thing} has {name}?",
            "{story} Count the {thing} of {name}.",
        ),
    ),
)


def ability(name: str) -> Ability:
    """The ability called `name`. Raises KeyError when there is none."""
    return {a.name: a for a in ABILITIES}[name]
