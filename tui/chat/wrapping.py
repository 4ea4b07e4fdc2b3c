"""A text that grows, cut into lines as it comes: only its last line is ever cut again."""

from __future__ import annotations

from collections.abc import Iterator

from rich.cells import get_character_cell_size

from workspace.text import plain

MOST_SHOWN = 200_000
"""Characters; what is longer is kept, and not shown to its end."""

Span = tuple[int, int]


class Wrapped:
    """A text made plain, and where its lines begin and end."""

    def __init__(self, text: str = "") -> None:
        self.text = ""
        """What is shown."""
        self.hidden = 0
        """Characters that are not shown."""
        self._width = 0
        self._spans: list[Span] = []
        self.add(text)

    def add(self, text: str) -> None:
        """Put more behind it."""
        room = MOST_SHOWN - len(self.text)
        shown = plain(text).replace("\t", "    ") if room > 0 else text
        self.hidden += max(0, len(shown) - max(0, room))
        self.text += shown[: max(0, room)]
        if self._width:
            start = self._spans.pop()[0] if self._spans else 0
            self._spans.extend(wrap(self.text, self._width, start))

    def spans(self, width: int) -> list[Span]:
        """Return the first and the last place (excluded) of each line of `width` cells."""
        if width != self._width:
            self._width = max(1, width)
            self._spans = list(wrap(self.text, self._width))
        return self._spans


def wrap(text: str, width: int, start: int = 0) -> Iterator[Span]:
    """Yield the lines of a plain text from `start` on: broken at spaces, else anywhere.

    >>> [("one two three"[a:b]) for a, b in wrap("one two three", 8)]
    ['one two', 'three']
    """
    while True:
        newline = text.find("\n", start)
        end = len(text) if newline < 0 else newline
        yield from _paragraph(text, start, end, width)
        if newline < 0:
            return
        start = newline + 1


def _paragraph(text: str, start: int, end: int, width: int) -> Iterator[Span]:
    while True:
        reached = _reach(text, start, end, width)
        if reached >= end:
            yield start, end
            return
        space = text.rfind(" ", start + 1, reached + 1)
        stop = space if space > start else reached
        yield start, stop
        start = stop + 1 if text[stop] == " " else stop


def _reach(text: str, start: int, end: int, width: int) -> int:
    """Return how far `width` cells reach from `start`; one character at least."""
    piece = text[start : min(end, start + width)]
    if piece.isascii():
        return start + len(piece)
    cells, place = 0, start
    while place < end:
        cells += get_character_cell_size(text[place])
        if cells > width and place > start:
            return place
        place += 1
    return place
