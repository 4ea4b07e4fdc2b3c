"""Text from anywhere as lines of a width, by cells and not by characters."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size

from tui.widgets.rows import Line, Part
from workspace.text import plain

_TOKEN = re.compile(r"\n|[^\S\n]+|\S+")


@dataclass(frozen=True)
class Paragraph:
    """A text of one role, under those before it."""

    text: str
    role: str = ""
    mark: str = ""
    """Before its first line: a glyph, a label; the lines below are indented as far."""
    mark_role: str = ""
    indent: int = 0


def wrapped(parts: Sequence[Part], width: int, *, most: int | None = None) -> list[Line]:
    """Return styled text as lines of at most `width` cells, broken between words.

    Args:
        parts: texts with their roles; newlines in them are kept.
        width: cells.
        most: lines to make at most.
    """
    width = max(1, width)
    lines: list[Line] = []
    line: list[Part] = []
    used = 0
    for token, role in _tokens(parts):
        if most is not None and len(lines) >= most:
            return lines[:most]
        if token == "\n":
            lines.append(tuple(line))
            line, used = [], 0
            continue
        for piece in _pieces(token, width):
            size = cell_len(piece)
            if used + size > width:
                lines.append(tuple(line))
                line, used = [], 0
                if piece.isspace():
                    continue
            line.append((piece, role))
            used += size
    lines.append(tuple(line))
    return lines if most is None else lines[:most]


def laid_out(paragraphs: Iterable[Paragraph], width: int) -> list[Line]:
    """Return paragraphs as lines."""
    lines: list[Line] = []
    for one in paragraphs:
        before = " " * one.indent
        mark = f"{one.mark} " if one.mark else ""
        hanging = len(before) + cell_len(mark)
        body = wrapped([(one.text, one.role)], width - hanging)
        for y, parts in enumerate(body):
            head: Part = (
                (before + mark, one.mark_role or one.role) if y == 0 else (" " * hanging, "")
            )
            lines.append((head, *parts) if hanging else parts)
    return lines


def _tokens(parts: Sequence[Part]) -> Iterable[Part]:
    for text, role in parts:
        for token in _TOKEN.findall(plain(text).replace("\t", "    ")):
            yield token, role


def _pieces(token: str, width: int) -> list[str]:
    """Return a word in pieces that fit on a line."""
    if cell_len(token) <= width:
        return [token]
    pieces = []
    while token:
        piece = set_cell_size(token, width).rstrip(" ") if cell_len(token) > width else token
        if not token.startswith(piece) or not piece:  # a wide character was cut in two
            piece = token[: max(1, len(piece) - 1)] if piece else token[:1]
            while len(piece) > 1 and cell_len(piece) > width:
                piece = piece[:-1]
        pieces.append(piece)
        token = token[len(piece) :]
    return pieces
