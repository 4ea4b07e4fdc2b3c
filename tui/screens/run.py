"""One run: its curve at full width, its facts, its abilities and the end of its log."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container
from textual.widgets import Log

from tui.actions import bindings
from tui.glyphs import Glyphs
from tui.poller import Update
from tui.screens.live import LiveScreen
from tui.snapshot import RunRow, Snapshot
from tui.widgets.abilities import Abilities
from tui.widgets.chart import Chart
from tui.widgets.details import Details
from tui.widgets.hints import Hints
from tui.widgets.title import Title
from workspace.text import plain

_MOST_LOG_LINES = 10_000


class RunScreen(LiveScreen):
    """Everything there is on one run."""

    CSS_PATH = "run.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("run")]

    def __init__(self, glyphs: Glyphs, snapshot: Snapshot, row: RunRow) -> None:
        super().__init__()
        self._row = row
        self._title = Title(glyphs)
        self._chart = Chart(glyphs, id="chart")
        self._details = Details(glyphs, snapshot.root, id="details")
        self._abilities = Abilities(glyphs, id="abilities")
        self._log = Log(id="log", max_lines=_MOST_LOG_LINES)
        self._log.can_focus = False
        self._hints = Hints(glyphs, "run")

    def compose(self) -> ComposeResult:
        """Lay out; the style sheet decides what is beside and what below."""
        yield self._title
        yield self._chart
        with Container(id="facts"):
            yield self._details
            yield self._abilities
        yield self._log
        yield self._hints

    def on_mount(self) -> None:
        """Show the run as it was when it was opened."""
        self._show_row(self._row)

    def show(self, update: Update) -> None:
        """Show what is new of this run; one that was deleted stays as it was last seen."""
        rows = {row.id: row for row in update.snapshot.runs}
        row = rows.get(self._row.id)
        if row is None:
            self._title.show(self._row, is_gone=True)
        elif row is not self._row:
            self._show_row(row)
        if update.log_lines:
            is_first = not self._log.line_count
            self._log.write_lines([plain(line, limit=2000) for line in update.log_lines])
            if is_first:
                self.call_after_refresh(self._log.scroll_end, animate=False)

    def _show_row(self, row: RunRow) -> None:
        self._row = row
        self._title.show(row)
        self._chart.show(row)
        self._details.show(row)
        self._abilities.show(row)

    def action_back(self) -> None:
        """Go back to all runs."""
        self.dismiss(None)

    def action_move(self, by: int) -> None:
        """Scroll the log."""
        self._log.scroll_relative(y=by, animate=False)

    def action_page(self, by: int) -> None:
        """Scroll the log by a page."""
        self._log.scroll_relative(y=by * max(1, self._log.size.height - 1), animate=False)

    def action_first(self) -> None:
        """Go to the first line of the log that was read."""
        self._log.scroll_home(animate=False)

    def action_last(self) -> None:
        """Go to the end of the log, and stay there as it grows."""
        self._log.scroll_end(animate=False)
