"""Solved examples before the question: seeded, the same for every item, never test items."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from evalsuite.scorers import TaskScorer, answer_of
from evalsuite.tasks.hub_rows import DatasetPlace
from evalsuite.tasks.item import Item, Message
from evalsuite.tasks.items import load_items
from evalsuite.tasks.schema import Task
from workspace.errors import DataError


@dataclass(frozen=True)
class Examples:
    """The examples drawn for a task."""

    items: tuple[Item, ...]
    excluded: int
    """Rows passed over because they are items of the test."""
    unsolved: int = 0
    """Rows passed over because they have no answer to show."""

    def before(self, item: Item) -> Item:
        """Return `item` with the examples as turns between its system turn and its question."""
        system = tuple(message for message in item.messages[:1] if message.role == "system")
        turns = [turn for example in self.items for turn in _solved(example)]
        return replace(item, messages=(*system, *turns, *item.messages[len(system) :]))


def with_answer(item: Item, scorer: TaskScorer | None) -> Item | None:
    """Return the item with a right answer in place of what its scorer compares with, if it has."""
    answer = answer_of(scorer, item.gold)
    if answer is None:
        return None
    return item if answer == item.gold else replace(item, gold=answer, golds=())


def draw_examples(task: Task, place: Path | DatasetPlace, tested: Sequence[Item]) -> Examples:
    """Draw the examples of `task.few_shot` from `place`.

    Raises:
        DataError: a row that cannot be used, or fewer examples than wanted once test items and
            rows without an answer are passed over.
    """
    assert task.few_shot is not None
    questions = {item.question.strip().casefold() for item in tested}
    # The id needs to be unique only among themselves: many example files have none.
    pool = load_items(task.model_copy(update={"cluster": None}), place)
    solved = [one for item in pool if (one := with_answer(item, task.scorer)) is not None]
    unsolved = len(pool) - len(solved)
    free = [item for item in solved if item.question.strip().casefold() not in questions]
    tests = len(solved) - len(free)
    wanted = task.few_shot.count
    if len(free) < wanted:
        without = f", {unsolved} without an answer" if unsolved else ""
        raise DataError(
            f"task {task.name}: too few examples for few_shot",
            where=str(place),
            cause=f"{wanted} wanted; {len(pool)} there, {tests} of them test items{without}.",
            cure="Give more rows with answers that are not in the test, or a smaller count.",
        )
    chosen = random.Random(task.few_shot.seed).sample(free, wanted)
    return Examples(tuple(chosen), tests, unsolved)


def _solved(example: Item) -> tuple[Message, ...]:
    turns = tuple(message for message in example.messages if message.role != "system")
    return (*turns, Message("assistant", example.gold))
