"""Finding and loading suites."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from evalsuite.benchmarks.names import LM_EVAL, demand_lm_eval, is_named, named_suite
from evalsuite.scorers import content, demand, placed
from evalsuite.tasks.fewshot import draw_examples
from evalsuite.tasks.item import Item, content_digest
from evalsuite.tasks.items import load_items
from evalsuite.tasks.schema import Suite, Task
from workspace.errors import DataError, Problem, RecipeError, UsageError
from workspace.layout import Workspace
from workspace.problems import did_you_mean, section_problem
from workspace.yaml import load_yaml

if TYPE_CHECKING:
    from evalsuite.benchmarks.tasks import Benchmark

BUILTIN = "builtin:"


@dataclass(frozen=True)
class LoadedTask:
    """A task with its items."""

    spec: Task
    items: tuple[Item, ...]
    few_shot: tuple[Item, ...] | None = None
    """The same items with examples before each question, where the task gives examples."""
    notes: tuple[str, ...] = ()
    """What was passed over in loading."""
    benchmark: Benchmark | None = None
    """The task of lm_eval, of kind lm_eval."""
    drawn_from: int = 0
    """How many items it has in all, where a part of them was drawn; 0 where none was."""

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the task and all its items."""
        spec = self.spec.model_dump(mode="json", exclude={"data", "split", "subset", "few_shot"})
        held = [item.digest for item in self.items]
        asked = [self.benchmark.digest] if self.benchmark else []
        named = content(self.spec.scorer)
        return content_digest([spec, held, *asked, *([named] if named else [])])

    def with_few_shot(self) -> LoadedTask:
        """Return the task asked with its examples; itself where it has none."""
        return replace(self, items=self.few_shot) if self.few_shot else self


@dataclass(frozen=True)
class LoadedSuite:
    """A suite with all its items."""

    spec: Suite
    path: Path
    tasks: tuple[LoadedTask, ...]

    @cached_property
    def digest(self) -> str:
        """SHA-256 of everything that decides a score or a verdict."""
        spec = self.spec.model_dump(mode="json", exclude={"tasks"})
        return content_digest([spec, [task.digest for task in self.tasks]])

    @property
    def items(self) -> Iterable[Item]:
        """Every item of every task: what training data must not hold."""
        return (item for task in self.tasks for item in task.items)


def find_suite(name: str, workspace: Workspace) -> Path:
    """Return the file of a suite: a path, a name in `suites/`, or `builtin:NAME`.

    A suite of benchmarks, `lm_eval:NAME,NAME`, has none: its name is returned.

    Raises:
        UsageError: there is none.
    """
    if is_named(name):
        return Path(name)
    if name.startswith(BUILTIN):
        from evalsuite.builtin import suite_path, suite_paths

        try:
            return suite_path(name.removeprefix(BUILTIN))
        except KeyError as error:
            wanted = name.removeprefix(BUILTIN)
            hint = did_you_mean(wanted, list(suite_paths()))
            raise UsageError(str(error.args[0]), where=name, cure=hint) from None
    directory = workspace.root / "suites"
    for candidate in (Path(name), workspace.root / name, directory / f"{name}.yaml"):
        if candidate.is_file():
            return candidate.resolve()
    known = sorted(path.stem for path in directory.glob("*.yaml"))
    raise UsageError(
        f"there is no suite called {name!r}",
        where=str(directory),
        cause=f"There is: {', '.join(known) or 'none yet'}.",
        cure=f"{did_you_mean(name, known)} Give a path to a suite's YAML, its name in `suites/`, "
        f"builtin:NAME, or {LM_EVAL}NAME,NAME.".strip(),
    )


def load_suite(path: Path) -> LoadedSuite:
    """Read a suite and all its items.

    Raises:
        RecipeError: all problems of the YAML, each with its place.
        DataError: an item that cannot be used.
    """
    spec = read_suite(path)
    return LoadedSuite(spec, path, tuple(_load_task(task, path.parent) for task in spec.tasks))


def read_suite(path: Path) -> Suite:
    """Read a suite's YAML without its items. Raises as `load_suite`."""
    if is_named(path):
        return named_suite(path)
    document = load_yaml(path)
    try:
        return Suite.model_validate(document.data)
    except ValidationError as error:
        problems = [
            _in_points(section_problem(document, document.data, "", Suite, detail, frozenset()))
            for detail in error.errors(include_url=False)
        ]
    count = len(problems)
    raise RecipeError(f"{count} problem{'s' if count > 1 else ''} in this suite", problems)


def _in_points(problem: Problem) -> Problem:
    """Add to a share that is too large how points are written."""
    if problem.key.split(".")[-1] not in ("margin", "min_gain") or problem.hint:
        return problem
    return replace(problem, hint="Scores go from 0 to 1: 0.05 is 5 points.")


def _load_task(task: Task, directory: Path) -> LoadedTask:
    if task.lm_eval is not None:
        demand_lm_eval()
        from evalsuite.benchmarks.tasks import open_benchmark

        benchmark = open_benchmark(task.lm_eval, directory, task.cluster)
        note = f"{task.name}: asked through lm_eval, scored by {benchmark.metric}"
        return LoadedTask(task, benchmark.items(), notes=(note,), benchmark=benchmark)
    if task.scorer is not None:
        scorer = placed(task.scorer, directory)
        demand(scorer)
        task = task.model_copy(update={"scorer": scorer})
    items = tuple(load_items(task, task.place(directory)))
    if task.few_shot is None:
        return LoadedTask(task, items)
    try:
        examples = draw_examples(task, task.few_shot.place(directory), items)
    except DataError as error:  # only a prompt with examples needs them
        return LoadedTask(task, items, notes=(f"{task.name}: no examples to show: {error}",))
    passed_over = (
        (examples.excluded, "they are test items"),
        (examples.unsolved, "they have no answer to show"),
    )
    notes = tuple(
        f"{task.name}: {count} example rows passed over: {why}"
        for count, why in passed_over
        if count
    )
    return LoadedTask(task, items, tuple(map(examples.before, items)), notes)
