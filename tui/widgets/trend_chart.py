"""The scores of one ability over evaluations: a point each, its verdict as the mark."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tui.glyphs import ROLES, Glyphs
from tui.widgets.rows import Line, Part, Rows, fit, right
from tui.widgets.trend_list import figure

if TYPE_CHECKING:
    from evalsuite.history.timeline import Line as Trend
    from evalsuite.history.timeline import Point

_LABEL = 8
_APART = 6
"""Cells between two points."""


class TrendChart(Rows):
    """A point for each evaluation, the latest on the right."""

    def __init__(self, glyphs: Glyphs, *, id: str | None = None) -> None:
        super().__init__(glyphs, id=id)
        self._trend: Trend | None = None

    def show(self, trend: Trend | None) -> None:
        """Show another line."""
        self._trend = trend
        self.redraw()

    def lines(self, width: int, height: int) -> list[Line]:
        """Return the chart: points over an axis of dates, and what the marks mean."""
        trend = self._trend
        if trend is None or height < 4:
            return []
        points = [one for one in trend.points if math.isfinite(one.score)]
        points = points[-max(1, (width - _LABEL - 2) // _APART) :]
        if not points:
            return [(("No score is a number here.", "muted"),)]
        low, high = _ends([one.score for one in points], bounded=trend.bounded)
        room = height - 3
        grid: list[list[Part]] = [[(" ", "")] * max(0, width - _LABEL - 1) for _ in range(room)]
        for number, point in enumerate(points):
            self._put(grid, number, point, points, (low, high))
        lines = [self._head(trend, points, width)]
        for y, cells in enumerate(grid):
            value = high - (high - low) * y / max(1, room - 1)
            label = figure(value, trend) if y in (0, room - 1) else ""
            tick = self.glyphs.axis[1] if label else self.glyphs.axis[0]
            lines.append(((right(label, _LABEL, ""), "muted"), (tick, "muted"), *cells))
        return [*lines, *self._dates(points, width)]

    def _put(
        self,
        grid: list[list[Part]],
        number: int,
        point: Point,
        points: list[Point],
        ends: tuple[float, float],
    ) -> None:
        low, high = ends
        x = 1 + number * _APART
        y = round((high - point.score) / (high - low) * (len(grid) - 1))
        if not grid or x >= len(grid[0]):
            return
        is_other = number and (point.suite, point.n) != (
            points[number - 1].suite,
            points[number - 1].n,
        )
        for row in grid if is_other else ():
            row[x - _APART // 2] = (":" if not self.glyphs.braille else "┊", "muted")
        mark = self.glyphs.marks.get(point.verdict, "-")
        grid[y][x] = (mark, ROLES.get(point.verdict, "muted"))

    def _head(self, trend: Trend, points: list[Point], width: int) -> Line:
        scores = figure(points[-1].score, trend)
        if len(points) > 1:
            scores = f"{figure(points[0].score, trend)} to {scores} in {len(points)} evaluations"
        told = f"{trend.ability} of {trend.model}: {scores}"
        return ((fit(told, width, self.glyphs.ellipsis), "strong"),)

    def _dates(self, points: list[Point], width: int) -> list[Line]:
        axis = self.glyphs.axis
        line = " " * _LABEL + axis[2] + axis[3] * max(0, width - _LABEL - 1)
        first, last = points[0].created[:16], points[-1].created[:16]
        told = first.replace("T", " ")
        if len(points) > 1:
            told += f" to {last.replace('T', ' ')}; a dashed line: other items from there on"
        label = " " * (_LABEL + 1) + told
        return [((line[:width], "muted"),), ((fit(label, width, self.glyphs.ellipsis), "muted"),)]


def _ends(scores: list[float], *, bounded: bool) -> tuple[float, float]:
    """Return the ends of the axis: at least ten points apart, so that noise is no cliff."""
    low, high = min(scores), max(scores)
    least = 0.1 if bounded else max(1e-9, abs(high) * 0.1)
    if high - low < least:
        middle = (high + low) / 2
        low, high = middle - least / 2, middle + least / 2
        if bounded and high > 1:
            low, high = low - (high - 1), 1.0
        if bounded and low < 0:
            low, high = 0.0, high - low
    return low, high
