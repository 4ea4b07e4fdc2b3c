"""The loss of one run, on an axis that reaches to its last step from the beginning.

A fixed horizontal axis is what makes a live curve cheap: a new point changes a cell or two, and
the vertical axis widens only now and then. The horizontal axis is also the progress bar.
"""

from __future__ import annotations

from tui.curves import axis
from tui.curves.axis import Scale
from tui.figures import duration, measure
from tui.glyphs import Glyphs
from tui.series import Series
from tui.snapshot import RunRow
from tui.widgets.dots import around, curve
from tui.widgets.rows import Line, Rows, fit, right

_LABEL = 7
"""Cells left of the axis."""


class Chart(Rows):
    """The loss curve of the run it was shown last."""

    def __init__(self, glyphs: Glyphs, *, id: str | None = None) -> None:
        super().__init__(glyphs, id=id)
        self._row: RunRow | None = None
        self._range = (0.0, 1.0)

    def show(self, row: RunRow | None) -> None:
        """Draw `row`; the vertical axis is kept while it is the same run."""
        same = row is not None and self._row is not None and row.id == self._row.id
        had_points = same and self._row is not None and len(self._row.losses) > 0
        self._row = row
        if row is not None and len(row.losses):
            self._range = widened(self._range if had_points else None, row.losses)
        self.redraw()

    def lines(self, width: int, height: int) -> list[Line]:
        """Return the title, the curve, the axis and its labels."""
        row = self._row
        if row is None:
            return []
        title = self._title(row, width)
        if not len(row.losses) or height < 5 or width < _LABEL + 8:
            return [title, (), ((fit(_without_curve(row), width, self.glyphs.ellipsis), "muted"),)]
        plot_width, plot_height = width - _LABEL - 1, height - 3
        return [title, *self._plot(row, plot_width, plot_height), *self._axis(row, plot_width)]

    def _title(self, row: RunRow, width: int) -> Line:
        facts = []
        if row.metrics.learning_rate is not None:
            facts.append(f"rate {row.metrics.learning_rate:.2g}")
        if row.remaining_seconds is not None:
            facts.append(f"{duration(row.remaining_seconds)} left")
        tail = f" {self.glyphs.dot} ".join(facts)
        loss = "loss" if row.metrics.loss is None else f"loss {measure(row.metrics.loss)}"
        tail = tail if len(tail) + len(loss) + 2 <= width else ""
        return (
            (fit(loss, width - len(tail), self.glyphs.ellipsis), "strong"),
            (tail, "muted"),
        )

    def _plot(self, row: RunRow, width: int, height: int) -> list[Line]:
        low, high = self._range
        drawn = curve(
            row.losses,
            width=width,
            height=height,
            last_step=last_step(row),
            low=low,
            high=high,
            glyphs=self.glyphs,
        )
        labels = Scale(low, high).ticks(height, _LABEL - 1)
        bar, tick = self.glyphs.axis[0], self.glyphs.axis[1]
        return [
            (
                (right(labels.get(y, ""), _LABEL - 1, "") + " ", "muted"),
                (tick if y in labels else bar, "muted"),
                (before, "muted"),
                (core, "curve"),
                (after, "muted"),
            )
            for y, (before, core, after) in enumerate(map(around, drawn))
        ]

    def _axis(self, row: RunRow, width: int) -> list[Line]:
        corner, ahead, done = tuple(self.glyphs.axis[2:])
        end = last_step(row)
        reached = min(width, round(width * (row.metrics.step or 0) / max(1, end)))
        count = min(4, end) if width >= 40 else 1  # no more labels than steps
        steps = [f"{round(end * part / count)}" for part in range(count + 1)]
        line = [" "] * width
        for place, text in enumerate(steps):
            start = round((width - 1) * place / (len(steps) - 1)) - len(text) // 2
            start = max(0, min(width - len(text), start))
            line[start : start + len(text)] = text
        return [
            (
                (" " * _LABEL + corner, "muted"),
                (done * reached, "accent"),
                (ahead * (width - reached), "muted"),
            ),
            ((" " * (_LABEL + 1) + "".join(line), "muted"),),
        ]


def last_step(row: RunRow) -> int:
    """Return the right end of the axis: the planned last step, or the latest if none is known."""
    reached = row.losses.steps[-1] if len(row.losses) else 1
    return max(row.metrics.max_steps or 0, reached, 1)


def widened(known: tuple[float, float] | None, series: Series) -> tuple[float, float]:
    """Return a vertical range that holds the curve: the known one as long as it does."""
    return axis.widened(known, min(series.values), max(series.values))


def _without_curve(row: RunRow) -> str:
    if row.state == "queued":
        return "It waits for its turn; the curve begins with its first step."
    if row.state == "running":
        return "The curve begins with its first step."
    return "No loss was recorded."
