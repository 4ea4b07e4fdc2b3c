"""Keeping and dropping single rows: decisions that the next curation applies."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from tui.browse.deciding import UNDECIDED, Decisions, read_decided
from tui.screens.working import Check, Tell, WorkingScreen
from tui.temper import Outcome
from tui.widgets.row_table import RowTable

if TYPE_CHECKING:
    from tui.app import TemperApp
    from tui.browse.table import Table


class DecidingScreen(WorkingScreen):
    """A table of rows about which decisions are written down by `temper curate` commands."""

    rows: RowTable
    table: Table | None
    _is_dropped_view = False

    def begin_deciding(self) -> None:
        """Begin with nothing to undo."""
        self._undo: list[tuple[str, str]] = []

    @property
    def _decisions(self) -> Decisions:
        assert self.table is not None
        return cast("TemperApp", self.app).decisions_of(self.table.opened.path)

    def look_decided(self) -> None:
        """Read in a thread what was decided so far, unless some of it is being written."""
        table = self.table
        if table is None or not table.opened.is_dataset or not self._decisions.is_idle:
            return

        def work(tell: Tell, check: Check) -> None:
            written = read_decided(self.root, table.opened.path)
            check()

            def shown() -> None:
                self._decisions.found(written)
                self._show_decided()

            self.done(shown)

        self.later("decided", work)

    def _show_decided(self) -> None:
        decided = self._decisions.in_force
        if self.rows.decided != decided:
            self.rows.decided = decided
            self.rows.redraw()

    def action_keep(self) -> None:
        """Keep the selected row at the next curation."""
        self._decide("keep")

    def action_drop(self) -> None:
        """Drop the selected row at the next curation."""
        self._decide("drop")

    def action_undo(self) -> None:
        """Take the last decision of this screen back."""
        while self._undo:
            row, before = self._undo.pop()
            if self._decisions.of(row) != before:
                self._send(row, before)
                return
        self.said.show("Nothing was decided here yet.", "muted")

    def _decide(self, verdict: str) -> None:
        row = self.rows.selected
        if self.table is None or row is None or row.id is None:
            return
        if not self.table.opened.is_dataset:
            self.said.show("Only rows of a dataset that `temper curate` made can be decided on.")
            return
        before = self._decisions.of(row.id)
        natural = "drop" if self._is_dropped_view else "keep"
        wanted = UNDECIDED if verdict == natural else verdict
        if wanted == before:
            state = "dropped" if natural == "drop" else "kept"
            told = f"It is {state} already." if wanted == UNDECIDED else "That is decided already."
            self.said.show(told, "muted")
            return
        self._undo.append((row.id, before))
        self._send(row.id, wanted)
        self.rows.move(1)

    def _send(self, row: str, verdict: str) -> None:
        self.said.show("writing it down …", "muted")
        self._decisions.decide(row, verdict, self._decided)
        self._show_decided()

    def _decided(self, outcome: Outcome) -> None:
        if self._is_left:
            return
        if outcome.code:
            lines = outcome.said.splitlines()
            self.said.show(" ".join(line.strip() for line in lines[:4]), "bad")
        else:
            self.said.show(f"{outcome.command}   (u takes it back; curate applies it)", "good")
        self._show_decided()
        self.look_decided()
