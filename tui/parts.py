"""The tables of a snapshot beside the runs: datasets, evaluations, jobs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tui.cached import Entry
from tui.datasets import DatasetRecord, DatasetRow, dataset_rows
from tui.evaluations.rows import EvaluationRecord, EvaluationRow, EvaluationRows
from tui.jobs import JobRow, make_job, newest_by_dataset, ordered

if TYPE_CHECKING:
    from workspace.jobs import JobView

    Jobs = Mapping[str, Entry[JobView]]
    Evals = Mapping[str, Entry[EvaluationRecord]]
    Datasets = Mapping[str, Entry[DatasetRecord]]


class Parts:
    """The tables beside the runs, made anew only when what they are made of changed."""

    def __init__(self) -> None:
        self.jobs: tuple[JobRow, ...] = ()
        self.evaluations: tuple[EvaluationRow, ...] = ()
        self.evals: tuple[EvaluationRow, ...] = ()
        self.datasets: tuple[DatasetRow, ...] = ()
        self._rest: tuple[object, ...] = ()
        self._made_from: dict[str, object] = {}
        self._eval_rows = EvaluationRows()
        self._job_rows: dict[str, tuple[Entry[JobView], JobRow]] = {}

    def are_of(self, rest: tuple[object, ...]) -> bool:
        """Whether the parts were made with these datasets, recipes and this disk."""
        return len(rest) == len(self._rest) and all(
            new is old for new, old in zip(rest, self._rest, strict=True)
        )

    def make(self, jobs: Jobs, evals: Evals, rest: tuple[Datasets, object, object, object]) -> None:
        """Make what is to be made anew."""
        self._rest = rest
        if self._is_new("jobs", jobs):
            known, self._job_rows = self._job_rows, {}
            for directory, entry in jobs.items():
                before = known.get(directory)
                is_same = before is not None and before[0] is entry
                self._job_rows[directory] = (
                    before
                    if before is not None and is_same
                    else (entry, make_job(directory, entry))
                )
            self.jobs = ordered(row for _, row in self._job_rows.values())
            self._made_from.pop("datasets", None)  # how their curation stands is told in jobs
        are_new = [self._is_new("evals", evals), self._is_new("jobs of evals", jobs)]
        if any(are_new):
            self.evaluations = self._eval_rows.of(evals, jobs)
            ended = tuple(row for row in self.evaluations if not row.is_job)
            self.evals = self.evals if ended == self.evals else ended
        if self._is_new("datasets", rest[0]):
            self.datasets = dataset_rows(rest[0], newest_by_dataset(self.jobs))

    def _is_new(self, name: str, value: object) -> bool:
        is_new = self._made_from.get(name) is not value
        self._made_from[name] = value
        return is_new
