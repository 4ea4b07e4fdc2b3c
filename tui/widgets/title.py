"""The top line of a run's own screen."""

from __future__ import annotations

from tui.glyphs import ROLES, Glyphs
from tui.snapshot import RunRow
from tui.widgets.rows import Line, Rows, fit


class Title(Rows):
    """The run's state and name."""

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__(glyphs, id="title")
        self._row: RunRow | None = None
        self._is_gone = False

    def show(self, row: RunRow, *, is_gone: bool = False) -> None:
        """Show another state, or that the run's directory was deleted."""
        self._row, self._is_gone = row, is_gone
        self.redraw()

    def lines(self, width: int, height: int) -> list[Line]:
        """Return the one line."""
        if self._row is None:
            return []
        state = "deleted" if self._is_gone else self._row.state
        shown = f" {self.glyphs.marks.get(state, '!')} {state} "
        name = fit(f" {self._row.id}", max(0, width - len(shown)), self.glyphs.ellipsis)
        return [((name, "strong"), (shown, ROLES.get(state, "bad")))]
