"""Lines of text that are more than fit: only those that are seen are drawn."""

from __future__ import annotations

from collections.abc import Sequence

from tui.glyphs import Glyphs
from tui.widgets.rows import Line, Rows


class Pages(Rows):
    """A list of lines with a place in it."""

    def __init__(self, glyphs: Glyphs, *, id: str) -> None:
        super().__init__(glyphs, id=id)
        self._all: Sequence[Line] = ()
        self.top = 0
        """Number of the line at the top."""

    def show(self, lines: Sequence[Line]) -> None:
        """Show other lines, from the same place."""
        self._all = lines
        self.go(self.top)

    def go(self, top: int) -> None:
        """Put a line at the top, as far as the end allows."""
        self.top = max(0, min(top, len(self._all) - max(1, self.size.height)))
        self.redraw()

    def lines(self, width: int, height: int) -> list[Line]:
        """Return the lines that are seen."""
        return list(self._all[self.top : self.top + height])
