"""The line over a blind duel."""

from __future__ import annotations

from tui.glyphs import Glyphs
from tui.widgets.rows import Line, Rows, fit


class DuelBar(Rows):
    """How far the duel is."""

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__(glyphs, id="duel-bar")
        self._text, self._state = "", ""

    def show(self, text: str, state: str) -> None:
        """Show this."""
        self._text, self._state = text, state
        self.redraw()

    def lines(self, width: int, height: int) -> list[Line]:
        """Return the line."""
        more, tail = self.glyphs.ellipsis, f"{self._state} "
        room = max(0, width - len(tail))
        return [((fit(f" {self._text}", room, more), "strong"), (tail[:width], "muted"))]
