"""What the makers of items share: a row as made, a task as made, draws without repetition."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

NAMES = (
    "Anna", "Boris", "Carla", "David", "Elena", "Farid", "Grace", "Hugo", "Irene", "Jonas",
    "Katja", "Liam", "Maria", "Nadia", "Oscar", "Paula", "Quentin", "Rosa", "Samir", "Tara",
    "Ursula", "Viktor", "Wanda", "Xavier", "Yusuf", "Zoe",
)  # fmt: skip
"""First names; none is part of another."""
Turn = tuple[str, str]
"""Role and content."""


@dataclass(frozen=True)
class Made:
    """One item as made."""

    answer: Any
    """The right answer, or the list of checks."""
    topic: str
    """Items with the same topic share a template or a fact: they are not independent."""
    prompt: str = ""
    turns: tuple[Turn, ...] = ()
    """A conversation in place of a prompt."""
    choices: tuple[str, ...] = ()

    @property
    def question(self) -> str:
        """What makes it the same item as another."""
        return self.prompt or "\n".join(content for _, content in self.turns)

    def row(self, item_id: str) -> dict[str, Any]:
        """Return it as a row of the data file."""
        asked: dict[str, Any] = {"prompt": self.prompt}
        if self.turns:
            asked = {"messages": [{"role": role, "content": text} for role, text in self.turns]}
        chosen = {"choices": list(self.choices)} if self.choices else {}
        return {"id": item_id, **asked, **chosen, "answer": self.answer, "topic": self.topic}


@dataclass(frozen=True)
class MadeTask:
    """A task with its items."""

    name: str
    ability: str
    scorer: Mapping[str, Any] | None
    """None: a choice by log-likelihood."""
    items: Sequence[Made]
    max_new_tokens: int = 64
    chance: float | None = None
    """The mean score of guessing among the answers that the question names."""
    suffix: str = ""
    """What the suite adds to every prompt."""


LAST = " Give the final number at the end of your answer."
"""Suffix of questions whose answer is a number that may be worked out first."""


def distinct(draw: Callable[[Random], Made], seed: str, items: int) -> list[Made]:
    """Draw `items` whose questions all differ.

    Raises:
        ValueError: `draw` repeats itself so often that there cannot be so many.
    """
    rng = Random(seed)
    made: dict[str, Made] = {}
    for _ in range(items * 200):
        one = draw(rng)
        made.setdefault(one.question, one)
        if len(made) == items:
            return list(made.values())
    raise ValueError(f"{seed}: only {len(made)} different items")


def in_turn(draws: Sequence[Callable[[Random], Made]]) -> Callable[[Random], Made]:
    """Return a draw that asks each of `draws` alike often, in a seeded order."""
    waiting: list[Callable[[Random], Made]] = []

    def draw(rng: Random) -> Made:
        if not waiting:
            waiting.extend(rng.sample(list(draws), len(draws)))
        return waiting.pop()(rng)

    return draw


def lines(items: Sequence[Made], prefix: str) -> Iterator[str]:
    """Yield the items as JSON Lines, ids numbered from 1."""
    for number, item in enumerate(items, start=1):
        row = item.row(f"{prefix}-{number:04}")
        yield json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n"
