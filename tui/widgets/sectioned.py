"""A list whose lines stand in parts: titles and axes between them cannot be picked."""

from __future__ import annotations

from collections.abc import Sequence

from textual.events import Click
from textual.geometry import Size

from tui.glyphs import Glyphs
from tui.widgets.picking import Picking
from tui.widgets.rows import Line

ROW = "row"


class Sectioned(Picking):
    """Lines of several kinds; those of kind `row` can be picked."""

    def __init__(self, glyphs: Glyphs, *, id: str | None = None) -> None:
        super().__init__(glyphs, id=id)
        self._layout: Sequence[tuple[str, int]] = ()
        self._window = 0

    def lay_out(self, layout: Sequence[tuple[str, int]], place: int | None = None) -> None:
        """Show other lines: each with its kind, and its number among those of the kind."""
        if len(layout) != len(self._layout):
            self.refresh(layout=True)
        self._layout = layout
        self.replaced(place)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return how many lines there are."""
        return len(self._layout)

    def length(self) -> int:
        """Return how many lines can be picked."""
        return sum(kind == ROW for kind, _ in self._layout)

    def drawn(self, kind: str, number: int, width: int) -> Line:
        """Return the line of a kind with its number."""
        raise NotImplementedError

    def lines(self, width: int, height: int) -> list[Line]:
        """Return the lines around the cursor, with what stands before and after it."""
        at = next((y for y, one in enumerate(self._layout) if one == (ROW, self.cursor)), 0)
        first = 0 if self.cursor == 0 else at
        last = min(len(self._layout) - 1, at + 1)
        self._window = max(min(self._window, first), last - height + 1)
        self._window = max(0, min(self._window, len(self._layout) - height))
        shown = self._layout[self._window : self._window + height]
        return [self.drawn(kind, number, width) for kind, number in shown]

    def on_click(self, event: Click) -> None:
        """Pick the clicked line; one that is picked already is chosen."""
        place = self._window + event.y
        if place < len(self._layout) and self._layout[place][0] == ROW:
            number = self._layout[place][1]
            if number == self.cursor:
                self.post_message(self.Chosen(self))
            else:
                self.move(number - self.cursor)
