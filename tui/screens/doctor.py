"""Doctor: what this terminal and this machine can do, and the way out where they cannot."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.message import Message

from tui.actions import bindings
from tui.findings import Finding
from tui.glyphs import Glyphs
from tui.poller import Update
from tui.screens.live import LiveScreen
from tui.widgets.findings import Findings, Ramp
from tui.widgets.header import Header
from tui.widgets.hints import Hints

_FAR = 1 << 20


class DoctorScreen(LiveScreen):
    """The findings of `temper doctor`, and a ramp of colours."""

    CSS_PATH = "doctor.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("doctor")]

    @dataclass
    class Examined(Message):
        """Everything was looked at."""

        findings: tuple[Finding, ...]

    def __init__(self, glyphs: Glyphs, root: Path) -> None:
        super().__init__()
        self._header = Header(glyphs)
        self._ramp = Ramp(glyphs, id="ramp")
        self._findings = Findings(glyphs, id="findings")
        self._hints = Hints(glyphs, "doctor")

    def compose(self) -> ComposeResult:
        """Put the ramp over the findings."""
        yield self._header
        yield self._ramp
        yield self._findings
        yield self._hints

    def on_mount(self) -> None:
        """Look, in a thread: some of it takes a second."""
        self.run_worker(
            self._examine, thread=True, exclusive=True, group="doctor", exit_on_error=False
        )

    def _examine(self) -> None:
        from tui.doctor import examine

        self.post_message(self.Examined(tuple(examine(in_app=True))))

    def on_doctor_screen_examined(self, message: Examined) -> None:
        """Show what was found, what is not well first."""
        worst_first = {"fail": 0, "warn": 1, "ok": 2}
        self._findings.show(sorted(message.findings, key=lambda one: worst_first[one.level]))

    def show(self, update: Update) -> None:
        """Keep the counts in the top line."""
        self._header.show(update.snapshot)

    def action_move(self, by: int) -> None:
        """Scroll by lines."""
        self._findings.move(by)

    def action_page(self, by: int) -> None:
        """Scroll by a page."""
        self._findings.move(by * max(1, self._findings.size.height - 1))

    def action_first(self) -> None:
        """Go to the first finding."""
        self._findings.move(-_FAR)

    def action_last(self) -> None:
        """Go to the last finding."""
        self._findings.move(_FAR)
