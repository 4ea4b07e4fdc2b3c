"""From the plan to a trained model, with as many rows at once as the memory holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from train import record as records
from train.checkpoints import CheckpointStore
from train.guard import Guard, recorded_losses
from train.inputs import Inputs
from train.plan import Prepared
from train.plan.micro_batch import smaller_micro_batch, with_micro_batch
from train.rehearsal import Rehearsal
from train.reporter import Reporter
from train.run_files import write_plan_files
from train.start import Start
from workspace.errors import WorkError
from workspace.events import read_events
from workspace.jobs import Job


@dataclass(frozen=True)
class Fitting:
    """One attempt at a run."""

    run: Path
    inputs: Inputs
    job: Job
    reporter: Reporter
    store: CheckpointStore

    def guard(self, rehearsal: Rehearsal, start: Start) -> Guard:
        """Return what the trainer watches for."""
        events, _ = read_events(self.job.events.path)
        measured = rehearsal.measured
        return Guard(
            alarms=self.inputs.section.alarms,
            step_seconds=measured.step_seconds if measured else None,
            expected=recorded_losses(events, after=start.step),
            tolerance=rehearsal.tolerance,
        )

    def split(self, before: Prepared, now: Prepared, step: int) -> None:
        """Record that steps after `step` have another number of rows at once, if it is so."""
        old, new = int(before.plan["micro_batch_size"]), now.plan.settings["micro_batch_size"]
        if old == new.value:
            return
        self.job.events.append(
            "micro batch", step=step, before=old, now=new.value, reason=new.reason
        )
        records.add_micro_batch(self.run, step, old, int(new.value), new.reason)
        write_plan_files(self.run, now, done=step)


def fit_within_memory(
    fitting: Fitting, prepared: Prepared, start: Start, fit: Callable[[Prepared, Start], Any]
) -> tuple[Any, Prepared]:
    """Train; where memory runs out, go on from the newest whole step with fewer rows at once.

    The rows of each step stay the same, and their gradients are added up: only the rounding of
    sums differs. Not so for `kto`, whose KL term is taken over the rows that are there at once.

    Args:
        fitting: the attempt.
        prepared: the plan.
        start: where it begins.
        fit: trains from a start and returns the model.

    Returns:
        The model, and the plan with the rows at once that fitted.

    Raises:
        WorkError: one row, or the fewest that the method can do with, does not fit.
    """
    from train.trl_bridge import OutOfMemory

    while True:
        try:
            return fit(prepared, start), prepared
        except OutOfMemory as error:
            step = error.step
        # after the `except` block: the error's frames held the model
        start = Start(fitting.store.newest())
        smaller = _with_fewer_rows(fitting, prepared, start, step)
        fitting.split(prepared, smaller, start.step)
        prepared = smaller


def _with_fewer_rows(fitting: Fitting, prepared: Prepared, start: Start, step: int) -> Prepared:
    before, size = int(prepared.plan["micro_batch_size"]), smaller_micro_batch(prepared)
    fitting.job.events.append(
        "out of memory", step=step + 1, micro_batch_size=before, smaller=size, from_step=start.step
    )
    if size is None:
        raise WorkError(
            "out of memory with the fewest rows at once",
            where=f"step {step + 1} of {prepared.plan.steps}, {before} at once",
            cause=f"Step {start.step} is saved." if start.step else "No step is saved yet.",
            cure="Free memory of the device or lower train.max_length, then "
            f"`temper resume {fitting.run.name}`.",
        )
    fitting.reporter.note(
        f"! out of memory in step {step + 1} with {before} rows at once: going on from step "
        f"{start.step} with {size} at once × {prepared.plan.batch_size // size}"
    )
    return with_micro_batch(prepared, size, f"{before} ran out of memory in step {step + 1}")
