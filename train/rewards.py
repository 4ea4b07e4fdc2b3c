"""Rewards: what a completion is worth, from scorers, forms, lengths, reward models and judges.

Without torch, but for a reward model that is asked: the same functions are tested on known answers
before the first step and asked for each completion while training.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from evalsuite.scorers import compares, demand, placed
from train.reinforcement_sections import (
    FormatReward,
    JudgeReward,
    LengthReward,
    ModelReward,
    RewardSection,
    ScoreReward,
)

if TYPE_CHECKING:
    from evalsuite.tasks.item import Item
    from train.data import Message


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
    prompt: str | Sequence[Message] = ""
    """What was asked: a plain text, or messages."""


@dataclass(frozen=True)
class RewardPlace:
    """Where rewards find what they need."""

    base_dir: Path
    """Of the recipe: relative paths begin here."""
    directory: Path
    """Of the run: a judge's answers are kept here."""


class Reward(Protocol):
    """One part of the reward."""

    name: str
    weight: float
    top: float | None
    """The most that it gives, which a right answer gets; None: it gives opinions, of which only
    the mean can be proved."""
    compares: bool
    """Whether it looks at the row's answer: another row's then gets less."""
    gaps: bool
    """Whether it may give None for a completion here and there, which then counts as its group."""

    def __call__(self, completions: Sequence[Completion]) -> Sequence[float | None]:
        """Return a number for each completion, or None where it does not apply."""
        ...

    def refusal(self, gold: str) -> str | None:
        """Return why completions cannot be compared with `gold`, or None."""
        ...

    def right_answer(self, gold: str) -> str | None:
        """Return a completion that is known to be right, or None where none is known."""
        ...

    def notes(self) -> list[str]:
        """Return what a person should know of how it works here, and what it cost."""
        ...

    def close(self) -> None:
        """Let go of models and logs."""
        ...


class Plain:
    """What most rewards have in common."""

    gaps: bool = False

    def refusal(self, gold: str) -> str | None:
        """Return None: the answer is not looked at."""
        return None

    def right_answer(self, gold: str) -> str | None:
        """Return the row's answer."""
        return gold

    def notes(self) -> list[str]:
        """Return nothing."""
        return []

    def close(self) -> None:
        """Nothing is held."""


class Scored(Plain):
    """A scorer of `evalsuite`: from 0 to 1."""

    top: float | None = 1.0

    def __init__(self, section: ScoreReward, base_dir: Path) -> None:
        self.name, self.weight = section.shown, section.weight
        self.scorer = placed(section.scorer, base_dir)
        self.compares = compares(section.scorer)

    def __call__(self, completions: Sequence[Completion]) -> list[float | None]:
        """Return each completion's score; programs run side by side."""
        if self.scorer.kind != "code":
            return [self._value(one) for one in completions]
        with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
            return list(pool.map(self._value, completions))

    def _value(self, one: Completion) -> float | None:
        return self.scorer.score(one.text, _item(one)).value

    def refusal(self, gold: str) -> str | None:
        """Return what the scorer says against the answer."""
        return self.scorer.refusal(gold)

    def right_answer(self, gold: str) -> str | None:
        """Return the row's answer; of tests, the solution beside them; of checks and of the
        code of a language, none."""
        if self.scorer.kind in ("constraints", "language") and self.compares:
            return None
        if self.scorer.kind != "code":
            return gold
        return None if self.scorer.refusal(gold) else self.scorer.right_answer(gold)

    def notes(self) -> list[str]:
        """Return what the scorer says of this machine."""
        told = demand(self.scorer)
        return [told] if told else []


def _item(one: Completion) -> Item:
    """Return the row as a scorer sees it; a prompt with images has its texts alone."""
    from evalsuite.tasks.item import Item, Message

    if isinstance(one.prompt, str):
        return Item(one.row_id, (Message("user", one.prompt),), gold=one.gold)
    messages = tuple(
        Message(turn["role"], turn["content"])
        for turn in one.prompt
        if isinstance(turn["content"], str)
    )
    return Item(one.row_id, messages, gold=one.gold)


class Formed(Plain):
    """1 for a completion of a form."""

    top: float | None = 1.0
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


class Shortness(Plain):
    """0 for a completion of reasonable length, -1 for the longest."""

    top: float | None = 0.0
    compares: bool = False

    def __init__(self, section: LengthReward, max_new_tokens: int) -> None:
        self.name, self.weight = section.shown, section.weight
        self.beyond, self.longest = section.beyond, max_new_tokens

    def __call__(self, completions: Sequence[Completion]) -> list[float | None]:
        """Return what each loses by its length."""
        span = self.longest - self.beyond
        return [-min(1.0, max(0, one.tokens - self.beyond) / span) for one in completions]


def make_rewards(
    sections: Sequence[RewardSection], max_new_tokens: int, place: RewardPlace
) -> list[Reward]:
    """Return the parts of the reward in the recipe's order; nothing is loaded before it is asked.

    Args:
        sections: `rewards` of the method.
        max_new_tokens: where completions are cut.
        place: where models and logs are.
    """
    made: list[Reward] = []
    for one in sections:
        if isinstance(one, ScoreReward):
            made.append(Scored(one, place.base_dir))
        elif isinstance(one, FormatReward):
            made.append(Formed(one))
        elif isinstance(one, LengthReward):
            made.append(Shortness(one, max_new_tokens))
        else:
            made.append(_opinion(one, place))
    return made


def _opinion(section: ModelReward | JudgeReward, place: RewardPlace) -> Reward:
    from train.reward_opinions import JudgedReward, ModelledReward

    if isinstance(section, ModelReward):
        return ModelledReward(section, place.base_dir)
    return JudgedReward(section, place)
