"""The ways of asking the base, as tasks ready to be put: zero-shot, with examples, your own."""

from __future__ import annotations

import random
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from evalsuite.prompting.examples import (
    Example,
    HeldOut,
    Pool,
    dataset_pool,
    suite_pool,
    without_leaks,
)
from evalsuite.prompting.nearest import nearest
from evalsuite.prompting.own import FEW_SHOT, RETRIEVED, ZERO_SHOT, OwnPrompt
from evalsuite.prompting.section import PromptSection, Shown
from evalsuite.scorers import is_opinion
from evalsuite.tasks import Item, LoadedSuite, LoadedTask
from evalsuite.tasks.schema import Task
from workspace.errors import DataError, ModelError

Fits = Callable[[Task, Item], bool]
"""Whether the model reads an item with its answer; raises ModelError where it does not take it."""


@dataclass(frozen=True)
class Prompting:
    """What is tried, with files found and read."""

    section: PromptSection = field(default_factory=PromptSection)
    own: tuple[OwnPrompt, ...] = ()
    dataset: Path | None = None
    """The directory whose training rows are examples."""
    dataset_name: str = ""
    notes: tuple[str, ...] = ()
    """What is to be said of where examples come from."""


@dataclass(frozen=True)
class Arm:
    """One way of asking one task."""

    name: str
    suite: LoadedSuite
    task: LoadedTask
    """With the messages as they are asked this way."""
    notes: tuple[str, ...] = ()


class Arms:
    """Makes the ways of asking; what could not be tried, or not in full, is in `notes`."""

    def __init__(self, prompting: Prompting, suites: Sequence[LoadedSuite], fits: Fits) -> None:
        self.prompting = prompting
        self.suites = suites
        self.fits = fits
        self.notes: list[str] = list(prompting.notes)
        self._tested = HeldOut.of(suites)
        self._from_dataset: Pool | None = None

    def all(self) -> Iterator[Arm]:
        """Return every way of asking every task of the target suites, task by task.

        Raises:
            DataError: the dataset named has no readable training rows.
        """
        if self.prompting.dataset is not None:
            found = dataset_pool(
                self.prompting.dataset,
                self.prompting.dataset_name,
                seed=self.prompting.section.seed,
            )
            self._from_dataset = self._checked(found)
        for suite in self.suites:
            for task in suite.tasks if suite.spec.purpose == "target" else ():
                if is_opinion(task.spec.scorer):
                    self.notes.append(
                        f"{task.spec.name}: no prompt was tried: its answers are scored by another "
                        "model, once all of them are there"
                    )
                elif task.spec.is_question:
                    yield from self._of_task(suite, task)

    def _of_task(self, suite: LoadedSuite, task: LoadedTask) -> Iterator[Arm]:
        yield Arm(ZERO_SHOT, suite, task)
        pool = self._pool(suite, task)
        shown = _Shown(pool, self.prompting.section, task)
        ways: list[tuple[str, Shown, OwnPrompt | None]] = [
            (FEW_SHOT, "few-shot", None),
            (RETRIEVED, "retrieved", None),
            *((own.name, own.examples, own) for own in self.prompting.own),
        ]
        for name, examples, own in ways:
            if examples != "none" and not shown.pool.examples:
                self.notes.append(f"{task.spec.name}: {name} was not tried: {shown.pool.source}")
                continue
            try:
                asked = self._tried(task, name, shown, examples, own)
            except ModelError as error:
                self.notes.append(f"{task.spec.name}: {name} was not tried: {_why(error)}")
                continue
            if asked is not None:
                yield Arm(name, suite, asked)

    def _tried(
        self, task: LoadedTask, name: str, shown: _Shown, examples: Shown, own: OwnPrompt | None
    ) -> LoadedTask | None:
        """Return the task asked so, with examples that the model's template takes.

        To render every example first would take long where nearly always all are taken, so that
        they are looked at one by one after the first refusal.

        Raises:
            ModelError: the template refuses what is asked for another reason than its examples.
        """
        try:
            return self._asked(task, name, shown.of(examples), own)
        except ModelError:
            if examples == "none" or not self._take_out_refused(task, shown):
                raise
        if not shown.pool.examples:
            self.notes.append(f"{task.spec.name}: {name} was not tried: {shown.pool.source}")
            return None
        return self._asked(task, name, shown.of(examples), own)

    def _take_out_refused(self, task: LoadedTask, shown: _Shown) -> bool:
        """Leave out and count examples that the model does not take; whether there were any."""
        before = shown.pool
        refusals = [self._refusal(task, one) for one in before.examples]
        said = [error for error in refusals if error is not None]
        if not said:
            return False
        note = (
            f"examples: {len(said):,} of {len(before.examples):,} from {before.source} passed "
            f"over: the model does not take them ({_why(said[0])})"
        )
        self.notes.append(note)
        kept = zip(before.examples, refusals, strict=True)
        clean = _or_reason(replace(before, examples=tuple(one for one, bad in kept if not bad)))
        shown.take(clean)
        if before is self._from_dataset:
            self._from_dataset = clean
        return True

    def _refusal(self, task: LoadedTask, example: Example) -> ModelError | None:
        """Return why the model does not take an example with a question after it."""
        try:
            self.fits(task.spec, _put_together(task.items[0], [example], None))
        except ModelError as error:
            return error
        return None

    def _asked(
        self,
        task: LoadedTask,
        name: str,
        shown: Sequence[Sequence[Example]],
        own: OwnPrompt | None,
    ) -> LoadedTask | None:
        """Return the task asked so, each item with as many examples as the model reads."""
        items, fewer = [], 0
        for item, examples in zip(task.items, shown, strict=True):
            asked, kept = self._fitted(task.spec, item, examples, own)
            if asked is None:
                self.notes.append(
                    f"{task.spec.name}: {name} was not tried: item {item.id} would be longer than "
                    "the model reads"
                )
                return None
            fewer += kept < len(examples)
            items.append(asked)
        if fewer:
            self.notes.append(
                f"{task.spec.name}: {name} shows {fewer:,} of {len(items):,} items fewer than "
                f"{max(map(len, shown))} examples, for want of room in what the model reads"
            )
        return replace(task, items=tuple(items))

    def _fitted(
        self, spec: Task, item: Item, examples: Sequence[Example], own: OwnPrompt | None
    ) -> tuple[Item | None, int]:
        """Return the item with as many of the last examples, the nearest, as fit, and the number.

        Fewer examples are shorter, so that the most that fit are found by halving.
        """

        def put(kept: int) -> Item:
            return _put_together(item, examples[len(examples) - kept :], own)

        if self.fits(spec, put(len(examples))):
            return put(len(examples)), len(examples)
        most = bisect_left(
            range(len(examples)), True, key=lambda kept: not self.fits(spec, put(kept))
        )
        return (put(most - 1), most - 1) if most else (None, 0)

    def _pool(self, suite: LoadedSuite, task: LoadedTask) -> Pool:
        """Return what examples are taken from; an empty one says why in `source`."""
        if self._from_dataset is not None:
            return self._from_dataset
        if task.spec.few_shot is None:
            return Pool(
                "there is no dataset (`evaluate: prompts: dataset:`), and the task has no "
                "`few_shot`; a base is often better with examples"
            )
        try:
            return self._checked(suite_pool(task.spec, suite.path.parent))
        except DataError as error:
            return Pool(str(error.title))

    def _checked(self, pool: Pool) -> Pool:
        clean = without_leaks(pool, self._tested)
        self.notes += clean.notes
        return _or_reason(clean)


def _or_reason(pool: Pool) -> Pool:
    """Return the pool; an empty one with why it is in place of its source."""
    if pool.examples:
        return pool
    return Pool(f"no row of {pool.source} may be shown as an example")


def _why(error: ModelError) -> str:
    return (error.cause or error.title).rstrip(".")


class _Shown:
    """The examples of each item of a task, made when first asked for."""

    def __init__(self, pool: Pool, section: PromptSection, task: LoadedTask) -> None:
        self.section, self.task = section, task
        self.take(pool)

    def take(self, pool: Pool) -> None:
        """Show examples of this pool from now on."""
        self.pool = pool
        self._kept: dict[Shown, list[tuple[Example, ...]]] = {}

    def of(self, kind: Shown) -> list[tuple[Example, ...]]:
        """Return the examples of each item, the last the nearest to the question."""
        if kind not in self._kept:
            self._kept[kind] = self._make(kind)
        return self._kept[kind]

    def _make(self, kind: Shown) -> list[tuple[Example, ...]]:
        items, there = self.task.items, self.pool.examples
        if kind == "none":
            return [()] * len(items)
        count = min(self.section.examples, len(there))
        if kind == "few-shot":
            drawn = tuple(random.Random(self.section.seed).sample(there, count))
            return [drawn] * len(items)
        places = nearest([item.question for item in items], [one.question for one in there], count)
        return [tuple(there[place] for place in row[::-1]) for row in places.tolist()]


def _put_together(item: Item, examples: Sequence[Example], own: OwnPrompt | None) -> Item:
    """Return the item with examples as turns between its system turn and its question."""
    system = tuple(turn for turn in item.messages[:1] if turn.role == "system")
    turns = [turn for example in examples for turn in example.turns]
    messages = (*system, *turns, *item.messages[len(system) :])
    return replace(item, messages=own.around(messages) if own else messages)
