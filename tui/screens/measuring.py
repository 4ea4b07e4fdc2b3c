"""An evaluation that is being made: its log as it grows, then its verdict."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widgets import Log

from tui.actions import bindings
from tui.evaluations.rows import EvaluationRow
from tui.evaluations.wrapping import Paragraph
from tui.glyphs import ROLES, Glyphs
from tui.logs.folding import folded
from tui.poller import Update
from tui.screens.live import LiveScreen
from tui.snapshot import unstamped
from tui.temper import typed
from tui.widgets.evaluation_title import EvaluationTitle
from tui.widgets.hints import Hints
from tui.widgets.reading import Reading
from workspace.text import plain

_MOST_LOG_LINES = 10_000


class MeasuringScreen(LiveScreen):
    """Follows the job; opens the evaluation when it is there."""

    CSS_PATH = "measuring.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("measuring")]
    follows_log = True

    def __init__(self, glyphs: Glyphs, root: Path, job: str) -> None:
        super().__init__()
        self._glyphs, self._root, self._job = glyphs, root, job
        self._row: EvaluationRow | None = None
        self._was_covered = False
        self._is_folded = True
        self._title = EvaluationTitle(glyphs)
        self._state = Reading(glyphs, id="state")
        self._log = Log(id="log", max_lines=_MOST_LOG_LINES)
        self._log.can_focus = False
        self._hints = Hints(glyphs, "measuring")

    def compose(self) -> ComposeResult:
        """Put the state over the log."""
        yield self._title
        yield self._state
        yield self._log
        yield self._hints

    def on_mount(self) -> None:
        """Follow the job's log."""
        from tui.app import TemperApp

        assert isinstance(self.app, TemperApp)
        self._title.show(unstamped(self._job), "", "evaluating")
        self.app.poller.follow(self._root / "jobs" / self._job / "log.txt")

    def on_screen_suspend(self) -> None:
        """Remember that lines of the log may be missed."""
        self._was_covered = True

    def on_screen_resume(self) -> None:
        """Read the end of the log again; look whether the verdict came meanwhile."""
        from tui.app import TemperApp

        if not isinstance(self.app, TemperApp):
            return
        if self._was_covered:
            self._was_covered = False
            self._read_again()
        self.show(Update(self.app.snapshot))

    def _read_again(self) -> None:
        from tui.app import TemperApp

        assert isinstance(self.app, TemperApp)
        self._log.clear()
        self.app.poller.follow(self._root / "jobs" / self._job / "log.txt")

    def on_unmount(self) -> None:
        """Follow it no longer, unless another log is followed by now."""
        from tui.app import TemperApp

        log = self._root / "jobs" / self._job / "log.txt"
        if isinstance(self.app, TemperApp) and self.app.poller.follows == log:
            self.app.poller.follow(None)

    def show(self, update: Update) -> None:
        """Show the state, the new lines, and the verdict once it is there."""
        found = [row for row in update.snapshot.evaluations if row.job == self._job]
        row = found[0] if found else None
        if row is not None and not row.is_job and self.is_current:
            from tui.screens.evaluation import EvaluationScreen

            self.app.switch_screen(EvaluationScreen(self._glyphs, self._root, row.path))
            return
        if row is not self._row:
            self._row = row
            self._show_state(row)
        if update.log_lines and update.log is not None and update.log.parent.name == self._job:
            lines = [plain(line, limit=2000) for line in update.log_lines]
            self._log.write_lines(folded(lines, "left out") if self._is_folded else lines)

    def _show_state(self, row: EvaluationRow | None) -> None:
        if row is None:
            told = Paragraph("Its job is not in the workspace any more.", "warn", "!", "warn")
            self._state.show((told,))
            return
        mark, role = self._glyphs.marks.get(row.state, "-"), ROLES.get(row.state, "")
        self._title.show(" ".join(row.models) or unstamped(row.id), row.state)
        verb = "stop" if row.state in ("running", "queued") else "logs"
        command = typed([verb, unstamped(row.id)])
        self._state.show(
            (
                Paragraph(row.headline or f"It is {row.state}.", "", mark, role),
                Paragraph(command, "accent", self._glyphs.prompt, "accent"),
            )
        )

    def action_back(self) -> None:
        """Go back; the evaluation goes on."""
        self.dismiss(None)

    def action_fold(self) -> None:
        """Show what libraries log, or leave it out again."""
        self._is_folded = not self._is_folded
        self._read_again()

    def action_move(self, by: int) -> None:
        """Scroll the log."""
        self._log.scroll_relative(y=by, animate=False)

    def action_page(self, by: int) -> None:
        """Scroll the log by a page."""
        self._log.scroll_relative(y=by * max(1, self._log.size.height - 1), animate=False)

    def action_first(self) -> None:
        """Go to the first line that was read."""
        self._log.scroll_home(animate=False)

    def action_last(self) -> None:
        """Go to the end of the log."""
        self._log.scroll_end(animate=False)
