"""Curves as text: braille dots, two across and four down in a cell; bars where there are none.

Each dot column shows the lowest and the highest value that falls into it, so a spike of a single
step is seen however long the run.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from tui.glyphs import Glyphs
from tui.series import Series

# Bit of each dot in a braille cell, by row from the top and column.
_BRAILLE = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))

Span = tuple[int, int, int, int]
"""First, lowest, highest and last dot row of a dot column."""


def columns(
    series: Series, *, width: int, height: int, last_step: int, low: float, high: float
) -> list[Span | None]:
    """Place a curve on `width` x `height` dots; row 0 is the lowest.

    Args:
        series: the curve.
        width: dot columns; step 0 is in the first, `last_step` in the last.
        height: dot rows; `low` is in the first, `high` in the last.
        last_step: right end of the axis.
        low: lower end of the axis.
        high: upper end of the axis.
    """
    spans: list[Span | None] = [None] * width
    across = (width - 1) / max(1, last_step)
    up = (height - 1) / (high - low) if high > low else 0.0

    def column(step: int) -> int:
        return min(width - 1, round(step * across))

    def row(value: float) -> int:
        return min(height - 1, max(0, round((value - low) * up)))

    # Columns rise with steps and rows with values: of each column a few points say it all.
    start = 0
    while start < len(series):
        x = column(series.steps[start])
        end = bisect_right(series.steps, x, lo=start, key=column)
        inside = series.values[start:end]
        spans[x] = (row(inside[0]), row(min(inside)), row(max(inside)), row(inside[-1]))
        start = end
    return spans


def dots(spans: Sequence[Span | None], height: int) -> list[int]:
    """Return each dot column as bits (bit 0 is the lowest row), joined to a continuous line."""
    bits = [0] * len(spans)
    before: tuple[int, int] | None = None
    for x, span in enumerate(spans):
        if span is None:
            continue
        first, lowest, highest, last = span
        bits[x] |= _run(lowest, highest)
        if before is not None:
            _join(bits, before, (x, first))
        before = (x, last)
    mask = (1 << height) - 1
    return [column & mask for column in bits]


def _run(lowest: int, highest: int) -> int:
    return ((1 << (highest - lowest + 1)) - 1) << lowest


def _join(bits: list[int], start: tuple[int, int], end: tuple[int, int]) -> None:
    """Draw the line between two dots of different columns, without gaps."""
    (x0, y0), (x1, y1) = start, end
    y = y0
    for x in range(x0, x1 + 1):
        target = y0 + round((y1 - y0) * (x - x0) / (x1 - x0))
        middle = (y + target) // 2
        if x > x0:
            bits[x - 1] |= _run(min(y, middle), max(y, middle))
            bits[x] |= _run(min(middle, target), max(middle, target))
        y = target


def braille_rows(bits: Sequence[int], height: int) -> list[str]:
    """Return dot columns as lines of braille cells, the top line first; `height` is in dots."""
    rows = []
    for top in range(height - 1, -1, -4):
        line = []
        for x in range(0, len(bits), 2):
            cell = 0
            for down in range(4):
                y = top - down
                for side in (0, 1):
                    if y >= 0 and x + side < len(bits) and bits[x + side] >> y & 1:
                        cell |= _BRAILLE[down][side]
            line.append(chr(0x2800 + cell) if cell else " ")
        rows.append("".join(line))
    return rows


def half_rows(bits: Sequence[int], height: int, cells: str) -> list[str]:
    """Return dot columns as lines of half-height cells, the top line first."""
    return [
        "".join(cells[(column >> low & 1) | (column >> low & 2)] for column in bits)
        for low in range(height - 2, -1, -2)
    ]


def curve(
    series: Series,
    *,
    width: int,
    height: int,
    last_step: int,
    low: float,
    high: float,
    glyphs: Glyphs,
) -> list[str]:
    """Draw a curve on `width` x `height` cells; the top line comes first."""
    across, down = (2, 4) if glyphs.braille else (1, 2)
    size = {"width": width * across, "height": height * down}
    spans = columns(series, **size, last_step=last_step, low=low, high=high)
    bits = dots(spans, size["height"])
    if glyphs.braille:
        return braille_rows(bits, size["height"])
    return half_rows(bits, size["height"], glyphs.cells)


def around(text: str, blank: str = "\u2800") -> tuple[str, str, str]:
    """Return the spaces before a drawn line, the line, and the spaces after it.

    Spaces within it become blank braille cells: a font that lends braille to another may have
    cells of another width, and pictures of the screen would shift whatever comes after a space.
    """
    core = text.strip(" ")
    left = len(text) - len(text.lstrip(" "))
    inner = core.replace(" ", blank) if not core.isascii() else core
    return " " * left, inner, " " * (len(text) - left - len(core))


def small_curve(series: Series, *, width: int, last_step: int, glyphs: Glyphs) -> str:
    """Draw a curve in one line of `width` cells, from its lowest to its highest value."""
    if not len(series) or width < 1:
        return " " * width
    low, high = min(series.values), max(series.values)
    if glyphs.braille:
        return curve(
            series, width=width, height=1, last_step=last_step, low=low, high=high, glyphs=glyphs
        )[0]
    levels = len(glyphs.bars)
    spans = columns(series, width=width, height=levels, last_step=last_step, low=low, high=high)
    return "".join(" " if span is None else glyphs.bars[span[3]] for span in spans)
