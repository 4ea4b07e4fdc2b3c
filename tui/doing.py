"""What the home screen does: each is a `temper` command, asked about first where that matters."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from tui.datasets import DatasetRow
from tui.evaluations.rows import EvaluationRow
from tui.jobs import JobRow
from tui.next_steps import Step
from tui.screens.dialog import Ask, Choose, Confirm, Notice
from tui.snapshot import RunRow, unstamped
from tui.temper import Outcome
from tui.widgets.details import next_command

if TYPE_CHECKING:
    from tui.app import TemperApp

_TASKS = (
    ("chat", "short free answers"),
    ("classify", "one label as the whole answer"),
    ("json", "JSON objects, compared key by key"),
    ("maths", "worked solutions whose last number counts"),
)


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
        _ask_for_rows(app, step)
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
    app.notify(step.command, title="running", markup=False)
    app.run_temper(step.arguments, lambda outcome: _tell(app, outcome))


def _tell(app: TemperApp, outcome: Outcome) -> None:
    """Show what a command printed; of a job in the background its id is enough."""
    if outcome.code == 0 and outcome.output.strip() and "--detach" not in outcome.arguments:
        app.push_screen(Notice(outcome.command, outcome.output))
    else:
        app.tell(outcome)


def _ask_for_rows(app: TemperApp, step: Step) -> None:
    """Ask for a file of rows and what the answers in it are, then run."""

    def with_file(file: str | None) -> None:
        if file is None:
            return
        given = ("--data", file.strip()) if file.strip() else ()

        def with_task(place: int | None) -> None:
            if place is not None:
                arguments = (*step.arguments, "--task", _TASKS[place][0], *given)
                _run(app, step._replace(arguments=arguments))

        shown = [f"{name:<9} {about}" for name, about in _TASKS]
        app.push_screen(Choose("What are the answers in these rows?", shown), with_task)

    question = "Which file has your rows? JSONL, CSV, Parquet; empty: those in raw/."
    app.push_screen(Ask(question, hint="raw/rows.jsonl"), with_file)


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
