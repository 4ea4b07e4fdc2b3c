"""Choosing what to evaluate, and starting it as a job that outlives the app."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.message import Message

from tui.actions import bindings
from tui.evaluations.measurement import Choice, Measurement, choices
from tui.evaluations.wrapping import Paragraph
from tui.glyphs import Glyphs
from tui.poller import Update
from tui.screens.moving import MovingScreen
from tui.temper import Outcome, typed
from tui.widgets.checklist import Checklist
from tui.widgets.evaluation_title import EvaluationTitle
from tui.widgets.hints import Hints
from tui.widgets.picking import Picking
from tui.widgets.reading import Reading

if TYPE_CHECKING:
    from tui.app import TemperApp

_KEYS = "enter chooses, S starts"
_JOB = re.compile(r"\b\d{8}-\d{6}-[a-z0-9._-]+")


class MeasureScreen(MovingScreen):
    """Runs, suites and a baseline to choose; the command they make is shown and started."""

    CSS_PATH = "measure.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("measure")]

    @dataclass
    class Known(Message):
        """What there is to choose from."""

        choices: Sequence[Choice]

    def __init__(self, glyphs: Glyphs, root: Path, *, run: str = "", at: str = "run") -> None:
        super().__init__()
        self._glyphs, self._root, self._run, self._at = glyphs, root, run, at
        self._trouble = ""
        self._job = ""
        """What was started here."""
        self._title = EvaluationTitle(glyphs)
        self._list = Checklist(glyphs, id="choices")
        self._command = Reading(glyphs, id="command")
        self._hints = Hints(glyphs, "measure")

    def compose(self) -> ComposeResult:
        """Put the choices over the command."""
        yield self._title
        yield self._list
        yield self._command
        yield self._hints

    @property
    def moved(self) -> Picking:
        """The choices."""
        return self._list

    def on_mount(self) -> None:
        """Read what there is in a worker."""
        self._title.show("Evaluate", "", _KEYS)
        runs = self.temper.snapshot.runs

        def work() -> None:
            self.post_message(self.Known(choices(self._root, runs)))

        self.run_worker(work, thread=True, group="choices", exit_on_error=False)

    def on_measure_screen_known(self, message: Known) -> None:
        """Show what there is, with the run chosen that this was opened for."""
        usable = {one.value for one in message.choices if one.kind == "run" and one.is_usable}
        chosen = Measurement(runs=(self._run,) if self._run in usable else ())
        self._list.show(message.choices, chosen, self._at)
        self._show_command()

    def show(self, update: Update) -> None:
        """Show which evaluations start and run; they may have been started elsewhere."""
        self._show_command(self._trouble)

    def _show_command(self, trouble: str = "") -> None:
        self._trouble = trouble
        command = typed(self._list.chosen.arguments)
        told = [Paragraph(command, "accent", self._glyphs.prompt, "accent")]
        if trouble:
            told.append(Paragraph(trouble, "warn", "!", "warn"))
        found = _at_work(self.temper)
        told += [Paragraph(text, "muted", self._glyphs.dot, "muted") for text in found]
        self._command.show(tuple(told))
        self._title.show("Evaluate", "", "starting" if self._is_starting else _KEYS)

    @property
    def _is_starting(self) -> bool:
        return tuple(self._list.chosen.arguments) in self.temper.under_way

    def on_picking_chosen(self) -> None:
        """Choose the line that was clicked twice."""
        self.action_open()

    def action_open(self) -> None:
        """Choose the picked line, or start."""
        choice = self._list.picked
        if choice is None:
            return
        if choice.kind == "start":
            self.action_start()
        elif not choice.is_usable:
            self._show_command(f"{choice.value} cannot be chosen: {choice.about}")
        else:
            self._list.choose(self._list.chosen.toggled(choice))
            self._show_command()

    def action_start(self) -> None:
        """Start what is chosen, as a job."""
        if self._is_starting:
            self._show_command("It is being started already.")
            return
        self.temper.run_temper(self._list.chosen.arguments, self._started)
        self._show_command()

    def _started(self, outcome: Outcome) -> None:
        if self.is_running:
            self._show_command()
        if outcome.code:
            self.temper.tell(outcome)
            return
        found = _JOB.search(outcome.output)
        self._job = found.group() if found is not None else ""
        if not self.is_current or not self._job:
            self.temper.tell(outcome)
            return
        self._follow()

    def _follow(self) -> None:
        from tui.screens.measuring import MeasuringScreen

        self.app.switch_screen(MeasuringScreen(self._glyphs, self._root, self._job))

    def on_screen_resume(self) -> None:
        """Follow what was started here, if that came while another screen was shown."""
        if self._job and self.is_current:
            self._follow()

    def copy_text(self) -> str:
        """Return the command."""
        return typed(self._list.chosen.arguments)


def _at_work(app: TemperApp) -> list[str]:
    """Return the evaluations that start or run, in a line each."""
    starting = [f"starting: {typed(one)}" for one in app.under_way if one[:1] == ("eval",)]
    jobs = [job for job in app.snapshot.jobs if job.is_active and job.kind == "eval"]
    return [*starting, *(f"{job.state}: {job.command}" for job in jobs)]
