"""The log of a run's job: follow, search, filter, whatever its size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.message import Message

from tui.actions import bindings
from tui.glyphs import Glyphs
from tui.logs.folding import own_lines
from tui.logs.query import BadQuery, Query, parse
from tui.logs.reader import LogReader, LogView
from tui.poller import Update
from tui.screens.dialog import Ask
from tui.screens.live import LiveScreen
from tui.snapshot import RunRow
from tui.widgets.hints import Hints
from tui.widgets.log_rows import LogRows
from tui.widgets.title import Title

_SHIFT = 20
_HINT = "words all of which a line has, !word for not, /expression/; empty for none"


class LogScreen(LiveScreen):
    """One log at full size."""

    CSS_PATH = "log.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("log")]

    @dataclass
    class Read(Message):
        """The reading thread has other lines."""

        view: LogView

    def __init__(self, glyphs: Glyphs, row: RunRow, log: Path) -> None:
        super().__init__()
        self._row = row
        self._title = Title(glyphs)
        self._lines = LogRows(glyphs, id="lines")
        self._hints = Hints(glyphs, "log")
        self._reader = LogReader(log, lambda view: self.post_message(self.Read(view)))
        self._search: Query | None = None
        self._filter: Query | None = None
        self._is_own = False

    def compose(self) -> ComposeResult:
        """Put the log between title and keys."""
        yield self._title
        yield self._lines
        yield self._hints

    def on_mount(self) -> None:
        """Begin to read."""
        self._title.show(self._row)
        self._reader.start()
        self.call_after_refresh(self.on_resize)

    def on_unmount(self) -> None:
        """Let the reading thread end."""
        self._reader.stop()

    def on_resize(self) -> None:
        """Read as many lines as are shown."""
        height = max(1, self._lines.size.height - 1)
        self._reader.ask(partial(self._reader.resize, height))

    def on_log_screen_read(self, message: Read) -> None:
        """Show the lines."""
        self._lines.show(message.view)

    def show(self, update: Update) -> None:
        """Show another state of the run; the log is read by a thread of its own."""
        row = next((row for row in update.snapshot.runs if row.id == self._row.id), None)
        if row is None:
            self._title.show(self._row, is_gone=True)
        elif row is not self._row:
            self._row = row
            self._title.show(row)

    def action_back(self) -> None:
        """Show all lines again, or go back to the run."""
        if self._filter is not None or self._search is not None or self._is_own:
            self._search, self._is_own = None, False
            self._begin_filter(None)
        else:
            self.dismiss(None)

    def action_search(self) -> None:
        """Ask what to look for, and go to the nearest line above that has it."""
        self._ask("Search for", self._search, self._begin_search)

    def _begin_search(self, query: Query | None) -> None:
        self._search = query
        self._lines.look_for(query, self._filter, is_own=self._is_own)
        if query is not None:
            self._reader.ask(partial(self._reader.search, query, -1))

    def action_filter(self) -> None:
        """Ask which lines to show."""
        self._ask("Show only lines with", self._filter, self._begin_filter)

    def _begin_filter(self, query: Query | None) -> None:
        self._filter = query
        self._lines.look_for(self._search, query, is_own=self._is_own)
        wanted = own_lines(query) if self._is_own else query
        self._reader.ask(partial(self._reader.filter, wanted))

    def action_fold(self) -> None:
        """Leave out what libraries log, or show it again."""
        self._is_own = not self._is_own
        self._begin_filter(self._filter)

    def _ask(self, question: str, now: Query | None, then: Callable[[Query | None], None]) -> None:
        def answered(text: str | None) -> None:
            if text is None:
                return
            try:
                query = parse(text)
            except BadQuery as error:
                self.notify(str(error), severity="warning", markup=False)
                return
            then(query if query.tests else None)

        self.app.push_screen(Ask(question, now.text if now is not None else "", _HINT), answered)

    def action_next_match(self, by: int) -> None:
        """Go to the next line that was searched for: `n` below, `N` above."""
        if self._search is None:
            self.action_search()
        else:
            self._reader.ask(partial(self._reader.search, self._search, by))

    def action_move(self, by: int) -> None:
        """Go by lines."""
        self._reader.ask(partial(self._reader.move, by))

    def action_page(self, by: int) -> None:
        """Go by pages."""
        self.action_move(by * max(1, self._lines.size.height - 2))

    def action_first(self) -> None:
        """Go to the beginning."""
        self._reader.ask(self._reader.first)

    def action_last(self) -> None:
        """Go to the end and follow."""
        self._reader.ask(self._reader.follow)

    def action_shift(self, by: int) -> None:
        """Show what is right of the edge, or back."""
        self._lines.shift(by * _SHIFT)
