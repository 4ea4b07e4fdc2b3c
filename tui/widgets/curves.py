"""The losses of two runs over each other: the left one drawn through, the right one dashed."""

from __future__ import annotations

from tui.figures import measure
from tui.glyphs import Glyphs
from tui.series import NO_POINTS, Series
from tui.widgets.chart import widened
from tui.widgets.dots import curve
from tui.widgets.rows import Line, Part, Rows, fit, right

_LABEL = 7
_DASH = 3
"""Cells of a dash and the gap after it."""


class Curves(Rows):
    """Two curves on one pair of axes."""

    def __init__(self, glyphs: Glyphs, *, id: str) -> None:
        super().__init__(glyphs, id=id)
        self._names = ("", "")
        self._series: tuple[Series, Series] = (NO_POINTS, NO_POINTS)

    def show(self, names: tuple[str, str], series: tuple[Series, Series]) -> None:
        """Show these."""
        self._names, self._series = names, series
        self.redraw()

    def lines(self, width: int, height: int) -> list[Line]:
        """Return the names, the curves, and the steps below them."""
        drawn = [one for one in self._series if len(one)]
        if not drawn or height < 4 or width < _LABEL + 16:
            return []
        plot_width, plot_height = width - _LABEL - 1, height - 2
        values = [value for one in drawn for value in one.values]
        low, high = widened(None, Series(tuple(range(len(values))), tuple(values)))
        last = max(one.steps[-1] for one in drawn)
        rows = [
            curve(
                one, width=plot_width, height=plot_height, last_step=last, low=low, high=high,
                glyphs=self.glyphs,
            )
            for one in self._series
        ]  # fmt: skip
        bar, corner, ahead = self.glyphs.axis[0], self.glyphs.axis[2], self.glyphs.axis[3]
        lines = [self._title(width)]
        for y, (first, second) in enumerate(zip(*rows, strict=True)):
            label = measure(high) if y == 0 else measure(low) if y == plot_height - 1 else ""
            axis: Part = (right(label, _LABEL - 1, "") + " " + bar, "muted")
            lines.append((axis, *_over(first, dashed(second))))
        end = f" step {last}"
        line = ahead * max(0, plot_width - len(end))
        lines.append(((" " * _LABEL + corner + line + end, "muted"),))
        return lines

    def _title(self, width: int) -> Line:
        ahead = self.glyphs.axis[3]
        told = []
        for name, one, sample in zip(
            self._names, self._series, (ahead * 5, f"{ahead * 2} {ahead * 2}"), strict=True
        ):
            loss = measure(one.values[-1]) if len(one) else "no loss"
            told.append(f" {sample} {name} {loss}")
        half = width // 2
        more = self.glyphs.ellipsis
        return ((fit(told[0], half, more), "curve"), (fit(told[1], width - half, more), "accent"))


def dashed(line: str) -> str:
    """Return a drawn line with every third cell left out.

    >>> dashed("abcdef")
    'ab de '
    """
    return "".join(" " if x % _DASH == _DASH - 1 else cell for x, cell in enumerate(line))


def _over(first: str, second: str) -> list[Part]:
    """Lay one drawn line over another; where both are, the dots of both."""
    parts: list[Part] = []
    for one, other in zip(first, second, strict=True):
        if one != " " and other != " ":
            is_braille = ord(one) >= 0x2800 and ord(other) >= 0x2800
            cell, role = (chr(ord(one) | ord(other)) if is_braille else one), "strong"
        elif one != " ":
            cell, role = one, "curve"
        else:
            cell, role = other, "accent" if other != " " else ""
        if cell == " ":  # as a blank braille cell: see `around`
            cell = "\u2800" if not first.isascii() or not second.isascii() else " "
        if parts and parts[-1][1] == role:
            parts[-1] = (parts[-1][0] + cell, role)
        else:
            parts.append((cell, role))
    return parts
