"""A text to be read: paragraphs that scroll, of which only the lines on the screen are drawn."""

from __future__ import annotations

from collections.abc import Sequence

from textual.events import MouseScrollDown, MouseScrollUp

from tui.evaluations.wrapping import Paragraph, laid_out, wrapped
from tui.glyphs import Glyphs
from tui.widgets.rows import Line, Part, Rows, fit


class Reading(Rows):
    """Paragraphs, wrapped to the width."""

    def __init__(self, glyphs: Glyphs, *, id: str | None = None) -> None:
        super().__init__(glyphs, id=id)
        self._paragraphs: Sequence[Paragraph] = ()
        self._parts: Sequence[Part] = ()
        self._laid_out: tuple[int, list[Line]] = (0, [])
        self._top = 0

    def show(self, paragraphs: Sequence[Paragraph]) -> None:
        """Show another text, from its beginning; the same text stays where it was."""
        if paragraphs != self._paragraphs:
            self._paragraphs, self._laid_out, self._top = paragraphs, (0, []), 0
            self.redraw()

    def show_parts(self, parts: Sequence[Part]) -> None:
        """Show styled text."""
        self._paragraphs, self._parts, self._laid_out, self._top = (), parts, (0, []), 0
        self.redraw()

    def move(self, by: int) -> None:
        """Scroll by lines."""
        self._top = max(0, min(self._top + by, len(self._all(self.size.width)) - self.size.height))
        self.redraw()

    def move_page(self, by: int) -> None:
        """Scroll by pages."""
        self.move(by * max(1, self.size.height - 1))

    def lines(self, width: int, height: int) -> list[Line]:
        """Return the lines on the screen; the last says that there are more."""
        found = self._all(width)
        self._top = max(0, min(self._top, len(found) - height))
        shown = found[self._top : self._top + height]
        left = len(found) - self._top - height
        if left > 0:
            more = f"{self.glyphs.ellipsis} {left + 1} more lines"
            shown = [*shown[:-1], ((fit(more, width, ""), "muted"),)]
        return shown

    def _all(self, width: int) -> list[Line]:
        if self._laid_out[0] != width:
            found = wrapped(self._parts, width) if self._parts else []
            self._laid_out = (width, [*laid_out(self._paragraphs, width), *found])
        return self._laid_out[1]

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        """Scroll down."""
        self.move(1)

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        """Scroll up."""
        self.move(-1)
