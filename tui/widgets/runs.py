"""The table of runs."""

from __future__ import annotations

from collections.abc import Sequence

from tui.figures import count, duration, measure, moment
from tui.glyphs import ROLES, Glyphs
from tui.series import Series
from tui.snapshot import RunRow
from tui.widgets.chart import last_step
from tui.widgets.dots import small_curve
from tui.widgets.rows import Part
from tui.widgets.table import Column, Table

_CURVE = 10


class RunTable(Table[RunRow]):
    """Runs: state, step, time left, loss, curve, verdict."""

    TITLE = "runs"
    EMPTY = "No run yet: temper train"

    def __init__(self, glyphs: Glyphs, *, id: str | None = None) -> None:
        super().__init__(glyphs, id=id)
        self._curves: dict[str, tuple[Series, str]] = {}

    def name_of(self, row: RunRow) -> str:
        """Return the id without its time."""
        return row.label

    def state_of(self, row: RunRow) -> str:
        """Return the state of its job."""
        return row.state

    def prepare(self, visible: Sequence[RunRow]) -> None:
        """Draw the small curves that are not drawn yet."""
        drawn, self._curves = self._curves, {}
        for row in visible:
            known = drawn.get(row.id)
            self._curves[row.id] = known if known and known[0] is row.losses else self._curve(row)

    def columns(self) -> Sequence[Column[RunRow]]:
        """Return the columns beside the name."""
        return (
            Column("state", 8, 6, lambda row: (row.state, ROLES.get(row.state, ""))),
            Column("step", 9, 8, _step, is_number=True),
            Column("left", 6, 5, _left, is_number=True),
            Column("loss", 7, 3, _loss, is_number=True),
            Column("curve", _CURVE, 4, lambda row: (self._curves[row.id][1], "curve")),
            Column("verdict", 14, 7, self._verdict),
            Column("started", 12, 2, _started),
        )

    def _curve(self, row: RunRow) -> tuple[Series, str]:
        return row.losses, small_curve(
            row.losses, width=_CURVE, last_step=last_step(row), glyphs=self.glyphs
        )

    def _verdict(self, row: RunRow) -> Part:
        if row.verdict is None:
            return "", ""
        word = row.verdict.verdict
        return f"{self.glyphs.marks.get(word, '?')} {word}", ROLES.get(word, "")


def _step(row: RunRow) -> Part:
    if row.metrics.step is None:
        return "", ""
    most = row.metrics.max_steps
    return f"{count(row.metrics.step)}/{count(most) if most else '?'}", ""


def _left(row: RunRow) -> Part:
    seconds = row.remaining_seconds
    return ("" if seconds is None else duration(seconds)), ""


def _loss(row: RunRow) -> Part:
    loss = row.metrics.loss
    return ("" if loss is None else measure(loss)), ""


def _started(row: RunRow) -> Part:
    return ("" if row.started is None else moment(row.started)), "muted"
