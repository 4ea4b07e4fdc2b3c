"""What commands that measure models share: their options, and the line of progress."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from workspace.context import Progress, note

if TYPE_CHECKING:
    from workspace.jobs import Job

MeasuringRecipe = Annotated[
    Path | None, typer.Option(help="Recipe whose `evaluate` says what to measure.")
]
Suites = Annotated[
    list[str] | None,
    typer.Option("--suite", help="Suite to put in place of the recipe's; repeatable."),
]


class AnswerProgress:
    """Shows how answers come in, and stops the job when a signal asked for it."""

    def __init__(self, job: Job, *, before_name: str = "") -> None:
        """Begin; `before_name` stands before the name of what answers, as `at ` before a scale."""
        self.job = job
        self.before_name = before_name
        self.progress: Progress | None = None
        self._started = 0.0
        self._all_answered = False

    def doing(self, what: str) -> None:
        """Show what is being prepared, before the first answer and after the last."""
        self._check()
        if what and (self.progress is None or self._all_answered):
            note(f"{what} …")

    def answered(self, model: str, task: str, done: int, total: int) -> None:
        """Show how many answers of all models there are, and of which the last is."""
        if self.progress is None:
            self.progress = Progress("answering", total, unit="answers")
            self._started = time.monotonic()
        seconds = time.monotonic() - self._started
        rate = f" · {done / seconds:,.0f}/s" if seconds > 1 else ""
        self._all_answered = done == total
        # More may be asked of what is undecided: the total grows.
        self.progress.update(done, total=total, detail=f"{self.before_name}{model}, {task}{rate}")
        self._check()

    def close(self) -> None:
        """Say how long it took."""
        if self.progress is not None:
            note(self.progress.line(final=True))

    def _check(self) -> None:
        self.job.check_stop(
            cure="The answers so far are kept: the same command goes on from there."
        )
