"""One name put for another, in the whole conversation alike. A rule: no model, no cost."""

from __future__ import annotations

import re
from dataclasses import replace
from random import Random
from typing import ClassVar, Literal

from curate.synth.generators.base import (
    Bench,
    Draft,
    Lost,
    NewIn,
    OneParent,
    Task,
    reworded,
    seed_number,
)
from curate.synth.generators.configs import Slots
from curate.synth.seeds import Seed
from evalsuite.asking.requests import Turn


class SlotsGenerator(OneParent):
    """Each task replaces every slot value that a row holds by another of the same slot."""

    name: ClassVar[str] = "slots"
    new_in: ClassVar[NewIn] = "bytes"
    makes: ClassVar[Literal["same", "messages", "preference"]] = "same"

    def __init__(self, config: Slots) -> None:
        self.config = config
        self._patterns = {name: _any_of(values) for name, values in config.values.items()}

    def per_row(self) -> int:
        """So many variations of a row."""
        return self.config.per_row

    def usable(self, seed: Seed) -> bool:
        """Whether the question holds a value of a slot."""
        return any(pattern.search(seed.question) for pattern in self._patterns.values())

    async def make(self, task: Task, bench: Bench) -> list[Draft | Lost]:
        """Make one variation: each value becomes the same other one wherever it stands."""
        parent = task.parents[0]
        put: dict[str, str] = {}
        for name, pattern in self._patterns.items():
            found = list(dict.fromkeys(pattern.findall(parent.question)))
            others = [value for value in self.config.values[name] if value not in found]
            Random(seed_number(name, parent.id)).shuffle(others)
            turn = task.nth % max(len(others), 1)  # another one each time, while there are others
            put |= dict(zip(found, others[turn:] + others[:turn], strict=False))
        question, answer = _replaced(parent.question, put), _replaced(parent.answer, put)
        history = tuple(Turn(turn.role, _replaced(turn.content, put)) for turn in parent.history)
        note = ", ".join(f"{old} → {new}" for old, new in put.items())
        return [replace(reworded(task, question, (), note=note), answer=answer, history=history)]


def _any_of(values: tuple[str, ...]) -> re.Pattern[str]:
    longest_first = sorted(values, key=lambda value: (-len(value), value))
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)")


def _replaced(text: str, put: dict[str, str]) -> str:
    """Replace all at once: a value that was put in is not replaced again."""
    return _any_of(tuple(put)).sub(lambda match: put[match.group()], text) if put else text
