"""The table of runs. Only the visible rows are ever drawn, and only the changed ones sent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from textual.events import Click, MouseScrollDown, MouseScrollUp
from textual.message import Message

from tui.figures import count, duration, measure, moment
from tui.glyphs import ROLES, Glyphs
from tui.series import Series
from tui.snapshot import RunRow
from tui.widgets.chart import last_step
from tui.widgets.dots import around, small_curve
from tui.widgets.rows import Line, Part, Rows, fit, right

_NARROWEST_NAME = 14
_CURVE = 10


@dataclass(frozen=True)
class Column:
    """One column and how much it is worth: the least important go first on a narrow screen."""

    title: str
    width: int
    importance: int
    cell: Callable[[RunTable, RunRow], Part]
    is_number: bool = False


class RunTable(Rows, can_focus=True):
    """Runs, one a line, with one of them selected."""

    @dataclass
    class Selected(Message):
        """Another run is selected, or the selected one changed."""

        row: RunRow | None

    class Opened(Message):
        """The selected run was clicked once more."""

    def __init__(self, glyphs: Glyphs, *, id: str | None = None) -> None:
        super().__init__(glyphs, id=id)
        self._runs: Sequence[RunRow] = ()
        self._cursor = 0
        self._top = 0
        self._curves: dict[str, tuple[Series, str]] = {}

    @property
    def selected(self) -> RunRow | None:
        """The run under the cursor."""
        return self._runs[self._cursor] if self._runs else None

    def show(self, runs: Sequence[RunRow]) -> None:
        """Show `runs`. The cursor stays on its run while that is there, else on its line."""
        before = self.selected
        self._runs = runs
        place = next(
            (y for y, row in enumerate(runs) if before is not None and row.id == before.id),
            min(self._cursor, max(0, len(runs) - 1)),
        )
        self._place(place, before)

    def move(self, by: int) -> None:
        """Move the cursor by lines, to the ends at most."""
        if self._runs:
            before = self.selected
            self._place(min(len(self._runs) - 1, max(0, self._cursor + by)), before)

    def move_page(self, by: int) -> None:
        """Move the cursor by pages."""
        self.move(by * max(1, self.size.height - 2))

    def _place(self, cursor: int, before: RunRow | None) -> None:
        self._cursor = cursor
        self.redraw()
        if self.selected is not before:
            self.post_message(self.Selected(self.selected))

    def on_click(self, event: Click) -> None:
        """Select the run on the clicked line; open it if it was selected already."""
        place = self._top + event.y - 1
        if event.y >= 1 and place < len(self._runs):
            if place == self._cursor:
                self.post_message(self.Opened())
            self._place(place, self.selected)

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        """Move down."""
        self.move(1)

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        """Move up."""
        self.move(-1)

    def lines(self, width: int, height: int) -> list[Line]:
        """Return the column titles and the rows around the cursor."""
        room = max(1, height - 1)
        self._top = max(min(self._top, self._cursor), self._cursor - room + 1)
        self._top = max(0, min(self._top, len(self._runs) - room))
        columns = fitting(COLUMNS, width)
        name_width = max(1, width - 4 - sum(column.width + 2 for column in columns))
        visible = self._runs[self._top : self._top + room]
        drawn, self._curves = self._curves, {}
        for row in visible:
            known = drawn.get(row.id)
            self._curves[row.id] = known if known and known[0] is row.losses else self._curve(row)
        rows = [
            self._line(row, columns, name_width, is_cursor=self._top + y == self._cursor)
            for y, row in enumerate(visible)
        ]
        return [self._titles(columns, name_width), *rows]

    def _titles(self, columns: Sequence[Column], name_width: int) -> Line:
        place = f"{self._cursor + 1}/{count(len(self._runs))}" if self._runs else ""
        name = "run" if len(place) + 5 > name_width else f"run {place}"
        text = "    " + fit(name, name_width, "")
        for column in columns:
            text += "  " + (right if column.is_number else fit)(column.title, column.width, "")
        return ((text, "muted"),)

    def _line(
        self, row: RunRow, columns: Sequence[Column], name_width: int, *, is_cursor: bool
    ) -> Line:
        more = self.glyphs.ellipsis
        parts: list[Part] = [
            (self.glyphs.cursor if is_cursor else " ", "accent"),
            (f" {self.glyphs.marks.get(row.state, '?')} ", ROLES.get(row.state, "")),
            (fit(row.label, name_width, more), "strong" if is_cursor else ""),
        ]
        for column in columns:
            text, role = column.cell(self, row)
            shown = (right if column.is_number else fit)(text, column.width, more)
            before, core, after = around("  " + shown) if role == "curve" else ("  ", shown, "")
            parts += [(before, ""), (core, role), (after, "")]
        if is_cursor:
            return tuple((text, f"{role} cursor".strip()) for text, role in parts)
        return tuple(parts)

    def _curve(self, row: RunRow) -> tuple[Series, str]:
        return row.losses, small_curve(
            row.losses, width=_CURVE, last_step=last_step(row), glyphs=self.glyphs
        )

    def _state(self, row: RunRow) -> Part:
        return row.state, ROLES.get(row.state, "")

    def _step(self, row: RunRow) -> Part:
        if row.metrics.step is None:
            return "", ""
        most = row.metrics.max_steps
        return f"{count(row.metrics.step)}/{count(most) if most else '?'}", ""

    def _left(self, row: RunRow) -> Part:
        seconds = row.remaining_seconds
        return ("" if seconds is None else duration(seconds)), ""

    def _loss(self, row: RunRow) -> Part:
        loss = row.metrics.loss
        return ("" if loss is None else measure(loss)), ""

    def _small_curve(self, row: RunRow) -> Part:
        return self._curves[row.id][1], "curve"

    def _verdict(self, row: RunRow) -> Part:
        if row.verdict is None:
            return "", ""
        word = row.verdict.verdict
        return f"{self.glyphs.marks.get(word, '?')} {word}", ROLES.get(word, "")

    def _started(self, row: RunRow) -> Part:
        return ("" if row.started is None else moment(row.started)), "muted"


COLUMNS = (
    Column("state", 8, 6, RunTable._state),
    Column("step", 9, 8, RunTable._step, is_number=True),
    Column("left", 6, 5, RunTable._left, is_number=True),
    Column("loss", 7, 3, RunTable._loss, is_number=True),
    Column("curve", _CURVE, 4, RunTable._small_curve),
    Column("verdict", 14, 7, RunTable._verdict),
    Column("started", 12, 2, RunTable._started),
)


def fitting(columns: Sequence[Column], width: int) -> list[Column]:
    """Return the columns there is room for beside a name."""
    kept = sorted(columns, key=lambda column: column.importance)
    while kept and sum(column.width + 2 for column in kept) + 4 + _NARROWEST_NAME > width:
        kept.pop(0)
    return [column for column in columns if column in kept]
