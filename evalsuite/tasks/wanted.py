"""Examples that a recipe wants before every item: are they there, and what is said of them."""

from __future__ import annotations

from collections.abc import Sequence

from evalsuite.tasks.suites import LoadedSuite
from workspace.errors import DataError, UsageError


def demand_suites(suites: Sequence[LoadedSuite]) -> None:
    """Refuse to measure nothing, and suites whose results could not be told apart.

    Raises:
        UsageError: there is no suite, or two have one name.
    """
    if not suites:
        raise UsageError(
            "no suite was given",
            cure="Name one with --suite, or list them under `evaluate: suites:` in the recipe.",
        )
    names = [suite.spec.name for suite in suites]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(f"two suites are called {twice[0]!r}", cure="Rename one of them.")


def demand_examples(suites: Sequence[LoadedSuite]) -> None:
    """Refuse `few_shot: true` for a task whose examples could not be drawn.

    Raises:
        DataError: there is one.
    """
    for suite in suites:
        for task in suite.tasks:
            if task.spec.few_shot and task.few_shot is None:
                raise DataError(
                    "examples are wanted, and there are none",
                    where=str(suite.path),
                    cause=" ".join(task.notes),
                    cure="Mend `few_shot` of the task, or leave `few_shot` out of the recipe.",
                )


def said_of_examples(suites: Sequence[LoadedSuite]) -> str:
    """Return which tasks are asked with examples."""
    tasks = [task.spec.name for suite in suites for task in suite.tasks if task.few_shot]
    return f"examples before every item of: {', '.join(tasks) or 'no task, none gives any'}"
