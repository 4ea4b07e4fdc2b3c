"""Verifiable rewards: what a completion is worth, from the scorers that also judge models.

Pure and without torch: the same functions are tested on known answers before the first step and
asked for each completion while training.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from train.reinforcement_sections import (
    FormatReward,
    LengthReward,
    ReinforcementSection,
    ScoreReward,
)

if TYPE_CHECKING:
    from evalsuite.tasks.item import Item


@dataclass(frozen=True, slots=True)
class Completion:
    """One answer to one row."""

    text: str
    """Without special tokens and what follows the end."""
    tokens: int
    """Its length, the end token included."""
    gold: str
    """The row's verifiable answer."""
    row_id: str


class Reward(Protocol):
    """One part of the reward."""

    name: str
    weight: float
    top: float
    """The most that it gives."""
    compares: bool
    """Whether it looks at the row's answer: another row's then gets less."""

    def __call__(self, completions: Sequence[Completion]) -> Sequence[float | None]:
        """Return a number for each completion, or None where it does not apply."""
        ...

    def refusal(self, gold: str) -> str | None:
        """Return why completions cannot be compared with `gold`, or None."""
        ...


class Scored:
    """A scorer of `evalsuite`: from 0 to 1."""

    top: float = 1.0

    def __init__(self, section: ScoreReward) -> None:
        self.name, self.weight = section.shown, section.weight
        self.scorer = section.scorer
        self.compares = section.scorer.kind != "json_schema"

    def __call__(self, completions: Sequence[Completion]) -> list[float | None]:
        """Return each completion's score."""
        return [self.scorer.score(one.text, _item(one)).value for one in completions]

    def refusal(self, gold: str) -> str | None:
        """Return what the scorer says against the answer."""
        return self.scorer.refusal(gold)


def _item(one: Completion) -> Item:
    from evalsuite.tasks.item import Item

    return Item(one.row_id, gold=one.gold)


class Formed:
    """1 for a completion of a form."""

    top: float = 1.0
    compares: bool = False

    def __init__(self, section: FormatReward) -> None:
        self.name, self.weight = section.shown, section.weight
        self.pattern = section.pattern

    @cached_property
    def _compiled(self) -> re.Pattern[str]:
        return re.compile(self.pattern, re.DOTALL)

    def __call__(self, completions: Sequence[Completion]) -> list[float | None]:
        """Return 1 or 0 for each."""
        return [float(bool(self._compiled.fullmatch(one.text.strip()))) for one in completions]

    def refusal(self, gold: str) -> None:
        """Return None: the answer is not looked at."""


class Shortness:
    """0 for a completion of reasonable length, -1 for the longest."""

    top: float = 0.0
    compares: bool = False

    def __init__(self, section: LengthReward, max_new_tokens: int) -> None:
        self.name, self.weight = section.shown, section.weight
        self.beyond, self.longest = section.beyond, max_new_tokens

    def __call__(self, completions: Sequence[Completion]) -> list[float | None]:
        """Return what each loses by its length."""
        span = self.longest - self.beyond
        return [-min(1.0, max(0, one.tokens - self.beyond) / span) for one in completions]

    def refusal(self, gold: str) -> None:
        """Return None: the answer is not looked at."""


def make_rewards(section: ReinforcementSection) -> list[Reward]:
    """Return the parts of the reward in the recipe's order."""
    made: list[Reward] = []
    for one in section.rewards:
        if isinstance(one, ScoreReward):
            made.append(Scored(one))
        elif isinstance(one, FormatReward):
            made.append(Formed(one))
        else:
            made.append(Shortness(one, section.max_new_tokens))
    return made
