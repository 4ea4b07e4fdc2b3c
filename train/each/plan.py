"""What training each group will do, known before a weight is loaded. Imports no torch."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from train.each.groups import Group, Groups, Rows, find_groups
from train.inputs import Inputs
from train.proof import prove
from workspace.errors import TemperError
from workspace.text import plain

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class GroupPlan:
    """What one group's run will be."""

    value: str
    """The group, as in the data."""
    rows: int
    """Of the dataset."""
    rows_kept: int
    tokens: int
    """Over all steps."""
    tokens_trained: int
    """Of those, the ones that carry loss."""
    steps: int
    epochs: float
    """Passes over its rows."""
    schedule_digest: str
    """SHA-256 over its rows in their order."""


@dataclass(frozen=True)
class WholePlan:
    """All groups."""

    groups: Groups
    plans: Sequence[GroupPlan]

    @property
    def steps(self) -> int:
        """Of all groups."""
        return sum(one.steps for one in self.plans)

    def as_dict(self) -> dict[str, Any]:
        """Return the document of `temper plan --json` and `plan.json`."""
        return {
            "schema_version": 1,
            "each": self.groups.as_dict(),
            "groups": [asdict(one) for one in self.plans],
            "steps": self.steps,
            "tokens": sum(one.tokens for one in self.plans),
        }


def group_inputs(inputs: Inputs, dataset: Path) -> Inputs:
    """Return what the run of one group reads: all but the rows is shared."""
    return replace(
        inputs, section=inputs.section.model_copy(update={"each": None}), dataset=dataset
    )


def plan_groups(inputs: Inputs, progress: Progress = lambda what, done, total: None) -> WholePlan:
    """Plan and prove every group; writes nothing that stays.

    Raises:
        DataError: as `train.each.groups.find_groups`.
        TemperError: as planning and the proof of one run, with the group in its place.
    """
    assert inputs.section.each is not None
    groups = find_groups(inputs.dataset, inputs.section.each)
    plans, rows = [], Rows(inputs.dataset)
    with tempfile.TemporaryDirectory(prefix="temper-each-") as scratch:
        for number, group in enumerate(groups.kept, 1):
            progress("planning groups", number, len(groups.kept))
            with naming(group.value):
                place = rows.write(group, Path(scratch) / group.slug)
                plans.append(_plan(group_inputs(inputs, place), group))
                shutil.rmtree(place)
    return WholePlan(groups, plans)


def _plan(inputs: Inputs, group: Group) -> GroupPlan:
    prepared = inputs.prepare()
    prove(
        prepared.rows,
        inputs.tokenizer,
        method=inputs.section.method.kind,
        seed=inputs.section.seed,
    ).enforce()
    plan = prepared.plan
    return GroupPlan(
        value=group.value,
        rows=group.rows,
        rows_kept=plan.sources[0].rows,
        tokens=plan.tokens_seen,
        tokens_trained=plan.tokens_trained,
        steps=plan.steps,
        epochs=plan.sources[0].epochs,
        schedule_digest=plan.schedule_digest,
    )


@contextmanager
def naming(value: str) -> Iterator[None]:
    """Put the group into the place of an error."""
    try:
        yield
    except TemperError as error:
        error.where = f"group {plain(value, 60)!r}" + (f", {error.where}" if error.where else "")
        raise
