"""What the home screen does: each is a `temper` command, asked about first where that matters."""

from __future__ import annotations

import shlex
from functools import partial
from typing import TYPE_CHECKING

from tui.beginning import ask_for_file, ask_for_rows
from tui.datasets import DatasetRow
from tui.evaluations.rows import EvaluationRow
from tui.jobs import JobRow
from tui.next_steps import Step
from tui.screens.dialog import Confirm, Notice
from tui.snapshot import RunRow, unstamped
from tui.temper import Outcome
from tui.widgets.details import next_command

if TYPE_CHECKING:
    from tui.app import TemperApp


def command_of(row: RunRow | DatasetRow | EvaluationRow | JobRow | Step | None) -> str:
    """Return the command that is shown for a row; empty where there is none."""
    match row:
        case Step():
            return row.command
        case RunRow():
            return next_command(row)
        case DatasetRow():
            return f"temper preview {shlex.quote(row.name)}" if row.record is not None else ""
        case EvaluationRow():
            return f"temper report {shlex.quote(unstamped(row.id))}"
        case JobRow():
            resumed = f"temper resume {shlex.quote(unstamped(row.resumes))}" if row.resumes else ""
            return resumed or f"temper logs {shlex.quote(unstamped(row.id))}"
    return ""


def do_step(app: TemperApp, step: Step) -> None:
    """Run a proposed step, after asking for what it needs and whether it may take long."""
    if step.asks == "rows":
        ask_for_rows(app, step, partial(_run, app))
    elif step.asks == "file":
        ask_for_file(app)
    elif not step.arguments:
        app.notify("There is no command for this: it is yours to decide.")
    elif step.takes_long:
        app.push_screen(
            Confirm(step.command, step.takes_long),
            lambda answer: _run(app, step) if answer else None,
        )
    else:
        _run(app, step)


def _run(app: TemperApp, step: Step) -> None:
    """Run a step, once: until it is begun it is still proposed, and keys are pressed twice."""
    if step.arguments in app.under_way:
        app.notify("It is being started already.")
        return
    app.notify(step.command, title="running", markup=False)
    app.run_temper(step.arguments, partial(_tell, app))


def _tell(app: TemperApp, outcome: Outcome) -> None:
    """Show what a command printed; of a job in the background its id is enough."""
    if outcome.code == 0 and outcome.output.strip() and "--detach" not in outcome.arguments:
        app.push_screen(Notice(outcome.command, outcome.output))
    else:
        app.tell(outcome)


async def open_job(app: TemperApp, job: JobRow) -> None:
    """Open what a job made, a run, a dataset or an evaluation; where nothing is, show its log."""
    path = app.snapshot.root / job.result
    if not job.result or not path.exists():
        app.run_temper(["logs", unstamped(job.id)], lambda outcome: _tell(app, outcome))
    elif job.result.startswith("evals/"):
        app.open_eval(path)
    elif job.result.startswith("datasets/"):
        await app.open_dataset(path)
    else:
        app.open_run(path.name)


def stop_job(app: TemperApp, job: JobRow | None) -> None:
    """Ask a job to stop, after asking whether that is meant."""
    if job is None or not job.is_active:
        app.notify("Nothing runs on this line: there is nothing to stop.")
        return
    name = unstamped(job.id)
    if job.state == "queued":
        lost = "It loses its place in the queue."
    elif job.kind == "train":
        lost = f"It saves its state and stops; later `temper resume {name}` goes on from there."
    else:
        lost = "It stops at its next safe point; what it has not written by then is lost."
    app.push_screen(
        Confirm(f"Stop {name}?   temper stop {name}", lost),
        lambda answer: app.run_temper(["stop", job.id]) if answer else None,
    )


def resume_job(app: TemperApp, job: JobRow | None) -> None:
    """Go on with the run of a job, in the background."""
    if job is None or not job.resumes:
        app.notify("Only a stopped, failed or lost run can go on.")
        return
    app.run_temper(["resume", unstamped(job.resumes), "--detach"])
