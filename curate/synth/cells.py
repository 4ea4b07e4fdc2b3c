"""Where a deficit stands, and which row each generator takes next for it."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from curate.synth.deficits import Deficit
from curate.synth.generators.base import Draft, Generator, Task, seed_number
from curate.synth.seeds import Seed, SeedTable

_WINDOW = 60
"""Rows after which it is judged whether more are worth their money."""
_LEAST_YIELD, _MOST_YIELD = 0.1, 64.0


@dataclass
class Cursor:
    """One generator at work on one deficit."""

    generator: Generator
    place: int
    """Of the generator in the recipe: the same one may be there twice."""
    cell: str
    label: str | None
    seeds: SeedTable
    usable: list[int]
    """Places of the rows it can use, in a random order of its own."""
    seed: int
    done: int = 0

    @classmethod
    def of(
        cls, generator: Generator, place: int, deficit: Deficit, seeds: SeedTable, seed: int
    ) -> Cursor:
        """Find the rows that the generator can use."""
        usable = [row for row in deficit.pool.tolist() if generator.usable(seeds[row])]
        Random(seed_number(seed, "order", generator.name, place, deficit.name)).shuffle(usable)
        return cls(generator, place, deficit.name, deficit.label, seeds, usable, seed)

    @property
    def exhausted(self) -> bool:
        """Whether every row has been taken as often as it may be."""
        per_row = self.generator.per_row()
        return not self.usable or (per_row is not None and self.done >= per_row * len(self.usable))

    def next_task(self) -> Task:
        """Return the next task.

        Its seed follows from the rows it looks at, not from when its turn comes: a recipe that
        wants more rows, or other labels, finds the same requests in the log.
        """
        number, self.done = self.done, self.done + 1
        nth, at = divmod(number, len(self.usable))
        first = self.seeds[self.usable[at]]
        task = Task((first,), number, nth, 0, self.label)
        rng = Random(seed_number(self.seed, "draw", self.generator.name, self.cell, number))

        def draw(count: int) -> Sequence[Seed]:
            places = rng.sample(self.usable, min(count, len(self.usable)))
            return [self.seeds[place] for place in places]

        parents = self.generator.parents(task, draw)
        names = [parent.id for parent in parents]
        seed = seed_number(self.seed, self.generator.name, self.place, nth, *names)
        return Task(parents, number, nth, seed, self.label)


@dataclass
class Cell:
    """A deficit while it is being made up for."""

    deficit: Deficit
    cursors: list[Cursor]
    accepted: int = 0
    tasks: int = 0
    given_up: str = ""
    """Why no more rows are made for it, though some are missing."""
    _turn: int = 0
    _lately: deque[bool] = field(default_factory=lambda: deque(maxlen=_WINDOW))

    @property
    def missing(self) -> int:
        """Rows still to make."""
        return max(0, self.deficit.wanted - self.accepted)

    @property
    def open(self) -> bool:
        """Whether more rows are to be made."""
        return self.missing > 0 and not self.given_up

    def lacks_not(self, draft: Draft) -> bool:
        """Whether a draft is no help, because another answer than its own is missing."""
        return self.deficit.answer is not None and draft.answer.strip() != self.deficit.answer

    def quota(self) -> int:
        """Return how many tasks the missing rows take at the yield so far."""
        expected = sum(cursor.generator.expected() for cursor in self.cursors) / len(self.cursors)
        share = (self.accepted + expected) / (self.tasks + 1)
        return math.ceil(self.missing / min(_MOST_YIELD, max(_LEAST_YIELD, share)))

    def next(self) -> tuple[Cursor, Task] | None:
        """Return the next task, of the generators in turn; None where all are exhausted."""
        for _ in self.cursors:
            cursor = self.cursors[self._turn % len(self.cursors)]
            self._turn += 1
            if not cursor.exhausted:
                self.tasks += 1
                return cursor, cursor.next_task()
        rows = sum(len(cursor.usable) for cursor in self.cursors)
        self.given_up = (
            "every source row has been used as often as the generators may"
            if rows
            else "no generator can use any of its source rows"
        )
        return None

    def note(self, outcomes: Sequence[bool], give_up: float) -> None:
        """Take in which of the last rows were accepted; give up where hardly any is."""
        self._lately.extend(outcomes)
        if len(self._lately) == _WINDOW and sum(self._lately) < give_up * _WINDOW:
            self.given_up = (
                f"of the last {_WINDOW} rows {sum(self._lately)} were accepted, "
                f"a smaller share than give_up = {give_up:g}"
            )


def plan_batch(cells: Sequence[Cell], size: int) -> list[tuple[Cell, Cursor, Task]]:
    """Return the next tasks: of all open cells in turn, no more than the missing rows take."""
    out: list[tuple[Cell, Cursor, Task]] = []
    left = {id(cell): cell.quota() for cell in cells if cell.open}
    while left and len(out) < size:
        for cell in cells:
            if id(cell) not in left or len(out) == size:
                continue
            found = cell.next()
            if found is None:
                del left[id(cell)]
                continue
            out.append((cell, *found))
            left[id(cell)] -= 1
            if not left[id(cell)]:
                del left[id(cell)]
    return out
