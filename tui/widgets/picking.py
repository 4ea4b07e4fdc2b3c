"""Lines of which one is picked: the cursor, the scrolling and the mouse of every list here."""

from __future__ import annotations

from dataclasses import dataclass

from textual.events import Click, MouseScrollDown, MouseScrollUp
from textual.message import Message

from tui.glyphs import Glyphs
from tui.widgets.rows import Line, Rows

FAR = 1 << 40
"""To the first or the last line, however many there are."""


class Picking(Rows, can_focus=True):
    """A list of any length. Subclasses say how many lines there are and what is on each."""

    @dataclass
    class Moved(Message):
        """Another line is picked, or the list was replaced."""

        picking: Picking
        place: int

    @dataclass
    class Chosen(Message):
        """The picked line was clicked once more."""

        picking: Picking

    def __init__(self, glyphs: Glyphs, *, id: str | None = None) -> None:
        super().__init__(glyphs, id=id)
        self.cursor = 0
        self.top = 0

    def length(self) -> int:
        """Return how many lines can be picked."""
        raise NotImplementedError

    def headings(self, width: int) -> list[Line]:
        """Return the lines above, which do not scroll."""
        return []

    def entry(self, place: int, width: int, *, is_cursor: bool) -> Line:
        """Return the line at a place."""
        raise NotImplementedError

    def room(self, height: int, headings: int) -> int:
        """Return how many lines of the list fit."""
        return max(1, height - headings)

    def replaced(self, place: int | None = None) -> None:
        """Draw a list that has changed, with the cursor at `place` or where it was."""
        self.cursor = min(max(0, self.length() - 1), self.cursor if place is None else place)
        self.redraw()
        self.post_message(self.Moved(self, self.cursor))

    def move(self, by: int) -> None:
        """Move the cursor by lines, to the ends at most."""
        wanted = min(max(0, self.length() - 1), max(0, self.cursor + by))
        if wanted != self.cursor:
            self.cursor = wanted
            self.redraw()
            self.post_message(self.Moved(self, self.cursor))

    def move_page(self, by: int) -> None:
        """Move the cursor by pages."""
        self.move(by * max(1, self.size.height - 2))

    @property
    def on_screen(self) -> range:
        """The places that are on the screen."""
        room = self.room(self.size.height, len(self.headings(self.size.width)))
        return range(self.top, min(self.length(), self.top + room))

    def lines(self, width: int, height: int) -> list[Line]:
        """Return the headings and the lines around the cursor."""
        headings = self.headings(width)
        room = self.room(height, len(headings))
        self.top = max(min(self.top, self.cursor), self.cursor - room + 1)
        self.top = max(0, min(self.top, self.length() - room))
        shown = range(self.top, min(self.length(), self.top + room))
        return [
            *headings,
            *(self.entry(place, width, is_cursor=place == self.cursor) for place in shown),
        ]

    def on_click(self, event: Click) -> None:
        """Pick the clicked line; one that is picked already is chosen."""
        place = self.top + event.y - len(self.headings(self.size.width))
        if place == self.cursor and 0 <= place < self.length():
            self.post_message(self.Chosen(self))
        elif self.top <= place < self.length():
            self.move(place - self.cursor)

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        """Move down."""
        self.move(1)

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        """Move up."""
        self.move(-1)


def marked(line: Line, *, is_cursor: bool) -> Line:
    """Return a line as it looks under the cursor, if it is there."""
    if not is_cursor:
        return line
    return tuple((text, f"{role} cursor".strip()) for text, role in line)
