"""Home: all runs, and the loss and facts of the selected one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container

from tui.actions import bindings
from tui.glyphs import Glyphs
from tui.poller import Update
from tui.screens.live import LiveScreen
from tui.widgets.chart import Chart
from tui.widgets.details import Details
from tui.widgets.header import Header
from tui.widgets.hints import Hints
from tui.widgets.runs import RunTable
from tui.widgets.welcome import Welcome

if TYPE_CHECKING:
    from tui.app import TemperApp

_FAR = 1 << 40


class HomeScreen(LiveScreen):
    """The table of runs beside the selected run."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("home")]

    def __init__(self, glyphs: Glyphs, root: Path) -> None:
        super().__init__()
        self._header = Header(glyphs)
        self._table = RunTable(glyphs, id="runs")
        self._chart = Chart(glyphs, id="chart")
        self._details = Details(glyphs, root, id="details")
        self._welcome = Welcome(glyphs)
        self._hints = Hints(glyphs, "home")

    def compose(self) -> ComposeResult:
        """Lay out; the style sheet decides what is beside and what below."""
        yield self._header
        with Container(id="body"):
            yield self._table
            with Container(id="side"):
                yield self._chart
                yield self._details
        yield self._welcome
        yield self._hints

    def show(self, update: Update) -> None:
        """Show what is new."""
        snapshot = update.snapshot
        self.set_class(not snapshot.runs, "-empty")
        self.set_class(bool(snapshot.runs), "-filled")
        self._header.show(snapshot)
        self._welcome.show(snapshot)
        self._table.show(snapshot.runs)

    def on_run_table_selected(self, message: RunTable.Selected) -> None:
        """Show the selected run beside the table."""
        self._chart.show(message.row)
        self._details.show(message.row)

    def on_run_table_opened(self) -> None:
        """Open the run that was clicked twice."""
        self.action_open()

    def action_open(self) -> None:
        """Open the selected run on a screen of its own."""
        if self._table.selected is not None:
            cast("TemperApp", self.app).open_run(self._table.selected.id)

    def action_move(self, by: int) -> None:
        """Move the cursor."""
        self._table.move(by)

    def action_page(self, by: int) -> None:
        """Move the cursor by a page."""
        self._table.move_page(by)

    def action_first(self) -> None:
        """Go to the first run."""
        self._table.move(-_FAR)

    def action_last(self) -> None:
        """Go to the last run."""
        self._table.move(_FAR)
