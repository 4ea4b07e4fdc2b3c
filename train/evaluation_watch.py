"""An evaluation inside another job: told to a person, stopped with the job."""

from __future__ import annotations

from workspace.context import note
from workspace.jobs import Job


class EvaluationWatch:
    """Passes on what an evaluation does, and stops it when the job is asked to stop."""

    def __init__(self, job: Job) -> None:
        self._job = job

    def doing(self, what: str) -> None:
        """Tell what begins."""
        self._job.check_stop()
        note(f"{what} …")

    def answered(self, model: str, task: str, done: int, total: int) -> None:
        """Stop if that was asked for; answers are kept."""
        self._job.check_stop(cure="The same command goes on from there.")
