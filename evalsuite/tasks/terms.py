"""The terms on which an ability is judged: its tasks', else the suite's."""

from __future__ import annotations

from dataclasses import dataclass

from evalsuite.tasks.schema import Suite, Task


@dataclass(frozen=True, slots=True)
class Terms:
    """What was agreed before any model was trained."""

    margin: float
    """Largest loss that still counts as kept."""
    alpha: float
    """Level of each one-sided test."""
    min_items: int
    """Items below which it cannot pass."""
    min_gain: float
    """Gain that a target must exceed."""


def terms_of(suite: Suite, task: Task) -> Terms:
    """Return the terms of a task's ability; tasks of one ability agree, which the schema checks."""
    return Terms(
        margin=suite.margin if task.margin is None else task.margin,
        alpha=suite.alpha if task.alpha is None else task.alpha,
        min_items=suite.min_items if task.min_items is None else task.min_items,
        min_gain=suite.min_gain if task.min_gain is None else task.min_gain,
    )
