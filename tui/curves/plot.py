"""Curves drawn as cells: several over each other, each with a line style of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tui.curves.axis import Scale
from tui.curves.track import Track
from tui.glyphs import Glyphs
from tui.widgets.dots import Span, braille_rows, dots, half_rows

_BLANK = "\u2800"


@dataclass(frozen=True)
class LineStyle:
    """How one of several runs is drawn."""

    role: str
    pattern: str
    """Which dot columns are drawn, repeated."""
    sample: str
    """Beside its name."""
    ascii: str
    """Its character where there are no dots; empty for the cells of a single curve."""


STYLES = (
    LineStyle("curve", "#", "━━", ""),
    LineStyle("second", "####..", "╍╍", "o"),
    LineStyle("third", "#.", "┄┄", "x"),
    LineStyle("fourth", "#####.#.", "━╌", "+"),
)
"""The run itself, and those laid over it."""


@dataclass(frozen=True)
class Window:
    """The steps that are shown."""

    first: float
    last: float

    @property
    def width(self) -> float:
        """Steps from end to end."""
        return max(1e-9, self.last - self.first)

    def column(self, step: float, columns: int) -> int:
        """Return the column of a step."""
        return round((step - self.first) / self.width * (columns - 1))

    def step(self, column: int, columns: int) -> float:
        """Return the step in the middle of a column."""
        return self.first + column * self.width / max(1, columns - 1)


def extremes(
    tracks: Sequence[Track], window: Window, *, is_log: bool
) -> tuple[float, float] | None:
    """Return the lowest and highest shown value; on a logarithmic axis of the positive ones."""
    spans = [track.span(*track.places(window.first, window.last)) for track in tracks]
    found = [span for span in spans if span is not None]
    if not found:
        return None
    low, high = min(span.low for span in found), max(span.high for span in found)
    if not is_log or low > 0:
        return low, high
    if high <= 0:
        return None
    positive = [
        value
        for track in tracks
        for value in track.values[slice(*track.places(window.first, window.last))]
        if value > 0
    ]
    # a wide span is made of whole blocks: a high one may lie beside what is shown
    return (min(positive), max(positive)) if positive else None


def _column_spans(
    track: Track, window: Window, width: int, height: int, scale: Scale
) -> list[list[Span | None]]:
    """Return the dots of each column, in pieces that no line joins."""
    half = window.width / max(1, width - 1) / 2
    pieces: list[list[Span | None]] = [[None] * width]
    before: int | None = None
    start, _ = track.places(window.first - half, window.last)
    for x in range(width):
        _, end = track.places(0, window.step(x, width) + half)
        found = track.span(start, end)
        if found is not None and (not scale.is_log or found.high > 0):
            if before is not None and track.is_broken(before, track.steps[start]):
                pieces.append([None] * width)
            low, high = scale.row(found.low, height), scale.row(found.high, height)
            pieces[-1][x] = (
                scale.row(found.first, height), low, high, scale.row(found.last, height),
            )  # fmt: skip
            before = track.steps[end - 1]
        start = max(start, end)
    return pieces


def _bits(
    track: Track, window: Window, width: int, height: int, scale: Scale, pattern: str
) -> list[int]:
    """Return a curve as dot columns."""
    bits = [0] * width
    for piece in _column_spans(track, window, width, height, scale):
        bits = [one | other for one, other in zip(bits, dots(piece, height), strict=True)]
    is_drawn = [mark == "#" for mark in pattern]
    return [one if is_drawn[x % len(pattern)] else 0 for x, one in enumerate(bits)]


def draw(
    tracks: Sequence[tuple[Track, LineStyle]],
    window: Window,
    scale: Scale,
    width: int,
    height: int,
    glyphs: Glyphs,
) -> list[list[tuple[str, str]]]:
    """Return lines of (character, role), the top one first; where runs meet the first one shows."""
    cells = [[(" ", "")] * width for _ in range(height)]
    for track, style in reversed(tracks):
        rows = _rows(track, window, scale, width, height, style, glyphs)
        for y, row in enumerate(rows):
            for x, character in enumerate(row):
                if character != " ":
                    cells[y][x] = (_over(character, cells[y][x][0]), style.role)
    return cells


def _rows(
    track: Track,
    window: Window,
    scale: Scale,
    width: int,
    height: int,
    style: LineStyle,
    glyphs: Glyphs,
) -> list[str]:
    if glyphs.braille:
        bits = _bits(track, window, width * 2, height * 4, scale, style.pattern)
        return braille_rows(bits, height * 4)
    bits = _bits(track, window, width, height * 2, scale, "#")
    rows = half_rows(bits, height * 2, glyphs.cells)
    if not style.ascii:
        return rows
    return ["".join(" " if c == " " else style.ascii for c in row) for row in rows]


def _over(above: str, below: str) -> str:
    """Return two cells laid over each other: of braille the dots of both."""
    if min(above, below) >= _BLANK:
        return chr(ord(above) | ord(below))
    return above
