"""Long texts cut into lines that fit: made in a thread, since a cell may hold a megabyte."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.cells import cell_len, chop_cells

from workspace.text import plain

Part = tuple[str, str]
Line = tuple[Part, ...]
_LONGEST = 4_000_000
"""Characters of one line that are looked at; what is behind is counted."""


def wrapped(lines: Iterable[Part], width: int, marks: tuple[str, ...] = ()) -> list[Line]:
    """Return lines of (text, role) made plain and cut to `width` cells, at spaces where possible.

    Args:
        lines: the lines.
        width: cells that there are.
        marks: beginnings of lines that each piece of such a line has, too.

    >>> wrapped([("one two three", "")], 8)
    [(('one two ', ''),), (('three', ''),)]
    >>> wrapped([("| one two three", "")], 10, ("| ",))
    [(('| one two ', ''),), (('| three', ''),)]
    """
    found: list[Line] = []
    for text, role in lines:
        left = len(text) - _LONGEST
        shown = plain(text[:_LONGEST]).replace("\n", "⏎").replace("\t", "    ")
        before = next((mark for mark in marks if shown.startswith(mark)), "")
        before = before or " " * (len(shown) - len(shown.lstrip(" ")))
        before = before if len(before) < width // 2 else ""
        for piece in pieces(shown[len(before) :], max(1, width - len(before))):
            found.append(((before + piece, role),))
        if left > 0:
            found.append(((f"({left:,} more characters)", "muted"),))
    return found


def pieces(text: str, width: int) -> Iterator[str]:
    """Yield a text in pieces of at most `width` cells; an empty text is one empty piece."""
    if not text:
        yield ""
    begin = 0
    while begin < len(text):
        piece = text[begin : begin + width]
        if not piece.isascii() and cell_len(piece) > width:
            piece = chop_cells(piece, width)[0]
        if begin + len(piece) < len(text):
            space = piece.rfind(" ")
            if space > width // 2:
                piece = piece[: space + 1]
        yield piece
        begin += max(1, len(piece))
