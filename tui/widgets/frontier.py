"""Learnt against forgotten, as points: up is more of the target, left is more lost."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tui.curves.axis import Scale, widened
from tui.curves.frontier import Standing
from tui.glyphs import Glyphs
from tui.widgets.rows import Line, Rows, fit, right

_LABEL = 7
_MARKS = {True: ("●", "o"), False: ("×", "x")}
"""Of points that keep every ability, and of those that do not."""


class Frontier(Rows):
    """A picture of standings, and the selected one among them."""

    def __init__(self, glyphs: Glyphs, *, id: str) -> None:
        super().__init__(glyphs, id=id)
        self._standings: Sequence[Standing] = ()
        self._at = 0

    def show(self, standings: Sequence[Standing], at: int) -> None:
        """Draw these, the one at a place marked."""
        self._standings, self._at = standings, at
        self.redraw()

    def lines(self, width: int, height: int) -> list[Line]:
        """Return the title, the points and the axis."""
        points = [
            (place, one.change, one.target, one)
            for place, one in enumerate(self._standings)
            if one.change is not None
            and one.target is not None
            and math.isfinite(one.change)
            and math.isfinite(one.target)
        ]
        title: Line = ((fit("target score, up", width, self.glyphs.ellipsis), "muted"),)
        rows, columns = height - 3, width - _LABEL - 1
        if not points:
            why = "No probe of both a target and what is to be kept yet."
            return [title, (), ((fit(why, width, self.glyphs.ellipsis), "muted"),)]
        if rows < 3 or columns < 16:
            return [title]
        losses = [change for _, change, _, _ in points]
        up = Scale(*widened(None, min(t for _, _, t, _ in points), max(t for _, _, t, _ in points)))
        across = Scale(*widened(None, min([*losses, 0.0]), max([*losses, 0.0])))
        cells = [[(" ", "")] * columns for _ in range(rows)]
        for place, change, target, one in points:
            mark = _MARKS[one.kept][not self.glyphs.braille]
            role = "good" if one.is_best else ("curve" if one.kept else "bad")
            role = f"{role} cursor" if place == self._at else role
            cells[rows - 1 - up.row(target, rows)][across.row(change, columns)] = (mark, role)
        bar, tick = self.glyphs.axis[0], self.glyphs.axis[1]
        labels = up.ticks(rows, _LABEL - 1)
        lines: list[Line] = [title]
        for y, row in enumerate(cells):
            label = right(labels.get(y, ""), _LABEL - 1, "") + " "
            lines.append(((label, "muted"), (tick if y in labels else bar, "muted"), *row))
        corner, ahead = self.glyphs.axis[2], self.glyphs.axis[3]
        lines.append(((" " * _LABEL + corner + ahead * columns, "muted"),))
        low, high = f"{across.low:+.3g}", f"{across.high:+.3g}"
        middle = "change of the worst kept ability"
        between = fit(middle.center(max(0, columns - len(low) - len(high))),
                      max(0, columns - len(low) - len(high)), "")  # fmt: skip
        lines.append(((" " * (_LABEL + 1) + low + between + high, "muted"),))
        return lines


class Standings(Rows):
    """The same points as a table, with a cursor."""

    def __init__(self, glyphs: Glyphs, *, id: str) -> None:
        super().__init__(glyphs, id=id)
        self._standings: Sequence[Standing] = ()
        self._at = 0

    def show(self, standings: Sequence[Standing], at: int) -> None:
        """Show these."""
        self._standings, self._at = standings, at
        self.redraw()

    def lines(self, width: int, height: int) -> list[Line]:
        """Return a heading and the points around the cursor."""
        numbers = f"{'target':>8}{'worst':>8}  "
        head = fit("   point", 15, "") + numbers + "of"
        shown = max(1, height - 1)
        first = max(0, min(self._at - shown // 2, len(self._standings) - shown))
        lines: list[Line] = [((fit(head, width, ""), "muted"),)]
        for place, one in enumerate(self._standings[first : first + shown], first):
            lines.append(self._line(one, width, is_current=place == self._at))
        return lines

    def _line(self, one: Standing, width: int, *, is_current: bool) -> Line:
        cursor = " cursor" if is_current else ""
        mark = self.glyphs.marks["pass" if one.kept else "fail"]
        target = "-" if one.target is None else f"{one.target:.3f}"
        change = "-" if one.change is None else f"{one.change:+.3f}"
        note = f"{one.worst}{'  best' if one.is_best else ''}"
        pointer = self.glyphs.cursor if is_current else " "
        return (
            (pointer, f"accent{cursor}"),
            (f"{mark} ", f"{'good' if one.kept else 'bad'}{cursor}"),
            (fit(one.label, 12, self.glyphs.ellipsis), f"strong{cursor}"),
            (f"{target:>8}{change:>8}  ", f"curve{cursor}" if cursor else ""),
            (fit(note, max(0, width - 33), self.glyphs.ellipsis), f"muted{cursor}"),
        )
