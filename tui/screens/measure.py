"""Choosing what to evaluate, and starting it as a job that outlives the app."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.message import Message

from tui.actions import bindings
from tui.evaluations.measurement import Choice, Measurement, choices
from tui.evaluations.wrapping import Paragraph
from tui.glyphs import Glyphs
from tui.screens.moving import MovingScreen
from tui.temper import Outcome, typed
from tui.widgets.checklist import Checklist
from tui.widgets.evaluation_title import EvaluationTitle
from tui.widgets.hints import Hints
from tui.widgets.picking import Picking
from tui.widgets.reading import Reading

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
        self._is_starting = False
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

    def _show_command(self, trouble: str = "") -> None:
        command = typed(self._list.chosen.arguments)
        told = [Paragraph(command, "accent", self._glyphs.prompt, "accent")]
        if trouble:
            told.append(Paragraph(trouble, "warn", "!", "warn"))
        self._command.show(tuple(told))

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
            return
        self._is_starting = True
        self._title.show("Evaluate", "", "starting")
        self.temper.run_temper(self._list.chosen.arguments, self._started)

    def _started(self, outcome: Outcome) -> None:
        self._is_starting = False
        self._title.show("Evaluate", "", _KEYS)
        if outcome.code:
            self.temper.tell(outcome)
            return
        found = _JOB.search(outcome.output)
        if not self.is_current or found is None:
            self.tell(f"started: {outcome.command}")
            return
        from tui.screens.measuring import MeasuringScreen

        screen = MeasuringScreen(self._glyphs, self._root, found.group())
        self.app.switch_screen(screen)

    def copy_text(self) -> str:
        """Return the command."""
        return typed(self._list.chosen.arguments)
