"""A long text that scrolls by lines."""

from __future__ import annotations

from collections.abc import Sequence

from textual.events import MouseScrollDown, MouseScrollUp, Resize
from textual.message import Message

from tui.glyphs import Glyphs
from tui.widgets.rows import Line, Rows


class TextLines(Rows, can_focus=True):
    """Lines that were cut to fit, of which a screenful is shown."""

    class Resized(Message):
        """The lines are to be cut anew: the first layout, or another width."""

    def __init__(self, glyphs: Glyphs, *, id: str | None = None) -> None:
        super().__init__(glyphs, id=id)
        self._held: Sequence[Line] = ()
        self._top = 0
        self._width = 0

    @property
    def place(self) -> str:
        """Which part is seen, where not all is."""
        total = len(self._held)
        if total <= self.size.height:
            return ""
        return f"line {self._top + 1:,} of {total:,}"

    def show(self, lines: Sequence[Line], *, keep_place: bool = False) -> None:
        """Show other lines, from their beginning."""
        self._held = lines
        self._top = self._top if keep_place else 0
        self.scroll_by_lines(0)

    def scroll_by_lines(self, by: int) -> None:
        """Go down, or up with a negative number, to the ends at most."""
        most = max(0, len(self._held) - self.size.height)
        self._top = max(0, min(most, self._top + by))
        self.redraw()

    def scroll_by_pages(self, by: int) -> None:
        """Go down or up by screenfuls."""
        self.scroll_by_lines(by * max(1, self.size.height - 1))

    def on_resize(self, event: Resize) -> None:
        """Ask for lines that are cut for another width; the base, which also hears it, draws."""
        if event.size.width != self._width:
            self._width = event.size.width
            self.post_message(self.Resized())

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        """Go down."""
        self.scroll_by_lines(3)

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        """Go up."""
        self.scroll_by_lines(-3)

    def lines(self, width: int, height: int) -> list[Line]:
        """Return what is seen."""
        return list(self._held[self._top : self._top + height])
