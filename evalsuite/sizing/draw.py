"""A part of every task's items, for a quicker look: the same items for every model. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from evalsuite.sizing.plan import only_items, order_of
from evalsuite.tasks import LoadedSuite, LoadedTask


def drawn(suites: Sequence[LoadedSuite], count: int | None, seed: int) -> tuple[LoadedSuite, ...]:
    """Return the suites with about `count` items of each task; None: with all.

    A hash of the clusters says which, so that the next evaluation asks the same ones. Clusters stay
    whole, and benchmarks, which lm_eval asks, too.

    Args:
        suites: with all their items.
        count: items of each task.
        seed: another draws others.
    """
    if count is None:
        return tuple(suites)
    return tuple(
        replace(suite, tasks=tuple(_of_task(suite, task, count, seed) for task in suite.tasks))
        for suite in suites
    )


def said_of_draw(suites: Sequence[LoadedSuite]) -> list[str]:
    """Return what a report says of suites of which a part is asked."""
    notes = []
    for suite in suites:
        part = [
            f"{task.spec.name} {len(task.items):,} of {task.drawn_from:,}"
            for task in suite.tasks
            if task.drawn_from
        ]
        if part:
            told = "a part of the items is asked, the same of every model (evaluate.items)"
            notes.append(f"{suite.spec.name}: {told}: {', '.join(part)}")
    return notes


def _of_task(suite: LoadedSuite, task: LoadedTask, count: int, seed: int) -> LoadedTask:
    if task.benchmark is not None or len(task.items) <= count:
        return task
    groups: dict[tuple[str, ...], list[int]] = {}
    for position, item in enumerate(task.items):
        groups.setdefault((suite.spec.name, item.cluster), []).append(position)
    chosen: list[int] = []
    for group in order_of(groups, seed):
        if len(chosen) >= count:
            break
        chosen += groups[group]
    return replace(only_items(task, sorted(chosen)), drawn_from=len(task.items))
