"""Starting, stopping and resuming the runs of a recipe, as commands that anyone can type."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from textual.message import Message

from tui.glyphs import Glyphs
from tui.poller import Update
from tui.screens.dialog import Choose, Confirm, Notice
from tui.screens.recipe_base import RecipeScreen
from tui.snapshot import RunRow
from tui.temper import Outcome, typed
from workspace.errors import TemperError
from workspace.layout import Workspace
from workspace.text import plain

if TYPE_CHECKING:
    from tui.app import TemperApp

_JOB = re.compile(r"^job\s+(\S+)$", re.MULTILINE)


class TrainJobs(RecipeScreen):
    """What can be done with a recipe and its runs."""

    @dataclass
    class Ended(Message):
        """A job that was started here has ended without a run to be seen."""

        job: str
        state: str
        why: str

    def __init__(self, glyphs: Glyphs, root: Path) -> None:
        super().__init__(root)
        self.glyphs = glyphs
        self._started = ""
        """The job that was started here and has no run yet."""
        self._is_starting = False

    @property
    def temper(self) -> TemperApp:
        """The app."""
        return cast("TemperApp", self.app)

    def start_command(self) -> tuple[str, bool]:
        """Return the command that starting would run and True, or why there is none and False.

        What is not saved goes with it as `--set`: what runs is what is on the screen, and the file
        is changed by saving alone.
        """
        arguments, why = self._start_arguments()
        return (typed(arguments), True) if arguments else (why, False)

    def _start_arguments(self) -> tuple[list[str], str]:
        reading = self.state.reading
        if self._is_starting:
            return [], "starting"
        if self._started:
            return [], f"started {self._started}; its screen opens when the run begins"
        if self.draft is None or self.path is None:
            return [], self.state.trouble or "reading the recipe"
        if reading is None or reading.text != self.draft.text:
            return [], "reading the recipe"
        if reading.faults:
            return [], f"cannot start: {reading.faults[0].shown}"
        if self.is_behind:
            return [], "cannot start: the file on disk has changed (r reads it, w saves over it)"
        if reading.overrides is None:
            return [], "cannot start: save first, `--set` cannot say what was taken out"
        return self.desk.command("train", self.path, reading.overrides, "--detach"), ""

    def copy_text(self) -> str:
        """Return the command on the screen."""
        command, is_possible = self.start_command()
        return command if is_possible else ""

    def action_start(self) -> None:
        """Start training as shown."""
        arguments, why = self._start_arguments()
        if not arguments:
            self.notify(plain(why, limit=400), severity="warning", markup=False)
            return
        self._is_starting = True
        self.present()
        self.temper.run_temper(arguments, self._was_started)

    def _was_started(self, outcome: Outcome) -> None:
        self._is_starting = False
        found = _JOB.search(outcome.output)
        if outcome.code or found is None:
            self.temper.tell(outcome)
        else:
            self._started = found[1]
            self._open_started()
        self.present()

    def show(self, update: Update) -> None:
        """Open the run that was started here, once it is there."""
        super().show(update)
        self._open_started()

    def _open_started(self) -> None:
        """Open the run of the started job; once that job has ended without one, say why."""
        if not self._started:
            return
        runs = self.temper.snapshot.runs
        row = next((row for row in runs if row.job and row.job.name == self._started), None)
        if row is not None:
            self._started = ""
            self.present()
            if self.is_current:
                self.temper.open_run(row.id)
            return
        job = self._started

        def work() -> None:
            from workspace.jobs import read_job

            with suppress(TemperError):
                view = read_job(Workspace(self.root).jobs / job)
                if view.state not in ("queued", "running"):
                    self.post_message(self.Ended(job, view.state, view.error or ""))

        self._in_thread(work, "started")

    def on_train_jobs_ended(self, message: Ended) -> None:
        """Say why a started job made no run."""
        if message.job != self._started:
            return
        self._started = ""
        self.present()
        log = typed(["logs", message.job])
        why = f"{message.why}\n\n{log}".strip()
        self.app.push_screen(Notice(f"{message.job}: {message.state}", why))

    def action_stop_run(self) -> None:
        """Stop the newest running run of this recipe."""
        row = self._newest(("running", "queued"))
        if row is None or row.job is None:
            self.notify("No run of this recipe is running.", markup=False)
            return
        job = row.job.name

        def answered(is_wanted: bool | None) -> None:
            if is_wanted:
                self.temper.run_temper(["stop", job])

        lost = f"It saves a checkpoint; `{typed(['resume', row.label])}` goes on from there."
        self.app.push_screen(Confirm(f"Stop {row.label}?", lost), answered)

    def action_resume_run(self) -> None:
        """Go on with the newest run of this recipe that was stopped."""
        row = self._newest(("stopped", "failed", "lost"))
        if row is None:
            self.notify("No run of this recipe waits to be resumed.", markup=False)
            return

        def resumed(outcome: Outcome) -> None:
            self.temper.tell(outcome)
            if not outcome.code and self.is_current:
                self.temper.open_run(row.id)

        self.temper.run_temper(["resume", row.id, "--detach"], resumed)

    def _newest(self, states: tuple[str, ...]) -> RunRow | None:
        runs = self.temper.snapshot.runs
        own = [row for row in runs if row.recipe == str(self.path) and row.state in states]
        return max(own, key=lambda row: row.id, default=None)

    def action_queue(self) -> None:
        """Show who waits for a GPU; the chosen one goes first."""
        self.temper.run_temper(["queue", "--json"], self._show_queue)

    def _show_queue(self, outcome: Outcome) -> None:
        if outcome.code:
            self.temper.tell(outcome)
            return
        document = json.loads(outcome.output)
        waiting = [str(one.get("job")) for one in document.get("waiting", [])]
        running = [str(one.get("job")) for one in document.get("running", [])]
        if not waiting:
            told = f"Running on a GPU: {', '.join(running)}." if running else "No GPU is in use."
            self.app.push_screen(Notice(outcome.command, f"{told} No job waits for one."))
            return

        def chosen(place: int | None) -> None:
            if place is not None:
                self.temper.run_temper(["queue", "first", waiting[place]])

        question = "These wait for a GPU. Enter lets one go first (temper queue first JOB)."
        self.app.push_screen(Choose(question, waiting), chosen)
