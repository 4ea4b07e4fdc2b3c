"""A table of any number of rows of data: only those on the screen are ever read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from textual.events import Click, MouseScrollDown, MouseScrollUp
from textual.message import Message

from tui.figures import count
from tui.glyphs import Glyphs
from tui.widgets.rows import Line, Part, Rows, fit, right
from workspace.text import plain

if TYPE_CHECKING:
    from tui.browse.table import Row, Table

_NARROWEST_TEXT = 30
_REMEMBERED = 1024


@dataclass(frozen=True)
class Column:
    """One column and how much it is worth: the least important go first on a narrow screen."""

    name: str
    width: int
    importance: int
    cell: Callable[[Row], str]
    is_number: bool = False
    title: str = ""


def _number(value: int | None) -> str:
    return "" if value is None else count(value)


COLUMNS = (
    Column("id", 8, 3, lambda row: row.id or ""),
    Column("split", 5, 6, lambda row: row.split or ""),
    Column("source", 20, 4, lambda row: _place(row), title="source:row"),
    Column("label", 12, 7, lambda row: row.label or row.topic or ""),
    Column("turns", 5, 2, lambda row: _number(row.turns), is_number=True),
    Column("tokens", 7, 8, lambda row: _number(row.tokens), is_number=True),
    Column("characters", 6, 5, lambda row: _number(row.characters), True, "chars"),
)
DROPPED_COLUMNS = (
    COLUMNS[0],
    Column("reason", 18, 9, lambda row: row.reason or ""),
    COLUMNS[2],
    COLUMNS[6],
    Column("detail", 40, 1, lambda row: row.detail or "", title="why"),
)


def _place(row: Row) -> str:
    return f"{row.source}:{row.place}" if row.place is not None else row.source or ""


def _end(text: str, width: int, ellipsis: str) -> str:
    """Return a path as `fit` does, without its beginning: the row's number is at its end."""
    tail = plain(text[-4 * width :])
    if len(text) <= 4 * width and cell_len(tail) <= width:
        return fit(tail, width, "")
    room = width - cell_len(ellipsis)
    while cell_len(tail) > room:
        tail = tail[1:]
    return ellipsis + fit(tail, room, "")


class RowTable(Rows, can_focus=True):
    """Rows, one a line, with one of them selected."""

    class Moved(Message):
        """Another row is under the cursor."""

    class Opened(Message):
        """The selected row was clicked once more."""

    def __init__(self, glyphs: Glyphs, *, id: str | None = None) -> None:
        super().__init__(glyphs, id=id)
        self._table: Table | None = None
        self._order: Any = None
        self._cursor = 0
        self._top = 0
        self._empty = ""
        self._columns: tuple[Column, ...] = COLUMNS
        self._sorted: tuple[str, bool] | None = None
        self._drawn: dict[tuple[int, bool], Line] = {}
        self._drawn_for: tuple[object, ...] = ()
        self.decided: Mapping[str, str] = {}
        """Row id → keep or drop, as it was decided and not applied yet."""

    @property
    def count(self) -> int:
        """How many rows are shown."""
        if self._table is None:
            return 0
        return self._table.count if self._order is None else len(self._order)

    @property
    def cursor(self) -> int:
        """The selected line."""
        return self._cursor

    @property
    def number(self) -> int | None:
        """Number of the selected row in its table."""
        return self._number(self._cursor) if self.count else None

    @property
    def selected(self) -> Row | None:
        """The row under the cursor."""
        number = self.number
        return None if number is None or self._table is None else self._table.row(number)

    def show(
        self,
        table: Table | None,
        order: Any = None,
        *,
        sorted_by: tuple[str, bool] | None = None,
        empty: str = "",
        dropped: bool = False,
        cursor: int = 0,
    ) -> None:
        """Show rows of a table.

        Args:
            table: whose rows; None: there is none yet.
            order: numbers of the rows, in their order; None: all as they are.
            sorted_by: the column, and whether the largest come first.
            empty: what to say if there are none.
            dropped: show why rows were dropped.
            cursor: the line to select.
        """
        self._table, self._order, self._empty = table, order, empty
        self._sorted = sorted_by
        self._columns = DROPPED_COLUMNS if dropped else COLUMNS
        self.move_to(cursor)

    def move(self, by: int) -> None:
        """Move the cursor by lines, to the ends at most."""
        self.move_to(self._cursor + by)

    def move_to(self, line: int) -> None:
        """Move the cursor to a line."""
        self._cursor = max(0, min(self.count - 1, line))
        self.redraw()
        self.post_message(self.Moved())

    def move_page(self, by: int) -> None:
        """Move the cursor by pages."""
        self.move(by * max(1, self.size.height - 2))

    def on_click(self, event: Click) -> None:
        """Select the row on the clicked line; open it if it was selected already."""
        line = self._top + event.y - 1
        if event.y >= 1 and line < self.count:
            if line == self._cursor:
                self.post_message(self.Opened())
            self.move_to(line)

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        """Move down."""
        self.move(3)

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        """Move up."""
        self.move(-3)

    def lines(self, width: int, height: int) -> list[Line]:
        """Return the column titles and the rows around the cursor."""
        if self._table is None or not self.count:
            said = fit(f"  {self._empty}", width, self.glyphs.ellipsis)
            return [(), ((said, "muted"),)] if self._empty else []
        room = max(1, height - 1)
        self._top = max(min(self._top, self._cursor), self._cursor - room + 1)
        self._top = max(0, min(self._top, self.count - room))
        digits = max(3, len(f"{self.count:,}"))
        columns = self._fitting(width - digits - 3)
        text = max(1, width - digits - 4 - sum(column.width + 2 for column in columns))
        shown = range(self._top, min(self.count, self._top + room))
        drawn_for = (self._table, id(self._order), columns, digits, text, self.decided)
        if drawn_for != self._drawn_for or len(self._drawn) > _REMEMBERED:
            self._drawn, self._drawn_for = {}, drawn_for
        return [
            self._titles(columns, digits, text),
            *(self._known(line, columns, digits, text) for line in shown),
        ]

    def _fitting(self, width: int) -> list[Column]:
        kept = sorted(self._columns, key=lambda column: column.importance)
        if self._table is not None and self.count:
            first = self._table.row(self._number(self._top))
            absent = {"tokens"} if first.tokens is None else set()
            absent |= {"split"} if not first.split else set()
            absent |= {"label"} if not self._table.has_labels else set()
            kept = [column for column in kept if column.name not in absent]
        while kept and sum(column.width + 2 for column in kept) + _NARROWEST_TEXT > width:
            kept.pop(0)
        return [column for column in self._columns if column in kept]

    def _titles(self, columns: list[Column], digits: int, text: int) -> Line:
        parts = "  " + right("#", digits, "")
        for column in columns:
            parts += "  " + self._title(column)
        return ((parts + "  " + fit("text", text, ""), "muted"),)

    def _title(self, column: Column) -> str:
        title = column.title or column.name
        if self._sorted is not None and self._sorted[0] == column.name:
            title = fit(title, min(len(title), column.width - 1), "") + self._arrow
        return (right if column.is_number else fit)(title, column.width, "")

    @property
    def _arrow(self) -> str:
        descending = self._sorted is not None and self._sorted[1]
        if self.glyphs.braille:
            return "↓" if descending else "↑"
        return "v" if descending else "^"

    def _known(self, line: int, columns: list[Column], digits: int, text: int) -> Line:
        """Return a line as it was drawn before: a key changes two of them."""
        key = (line, line == self._cursor)
        if key not in self._drawn:
            self._drawn[key] = self._line(line, columns, digits, text)
        return self._drawn[key]

    def _line(self, line: int, columns: list[Column], digits: int, text: int) -> Line:
        more = self.glyphs.ellipsis
        row = self._row(line)
        is_cursor = line == self._cursor
        number = f"{self._number(line) + 1:,}"
        parts: list[Part] = [
            (self.glyphs.cursor if is_cursor else " ", "accent"),
            self._mark(row),
            (right(number, digits, ""), "muted"),
        ]
        for column in columns:
            cut = _end if column.name == "source" else right if column.is_number else fit
            shown = cut(column.cell(row), column.width, more)
            parts += [("  ", ""), (shown, "warn" if column.name == "reason" else "")]
        parts += [("  ", ""), (fit(row.start or "", text, more), "strong" if is_cursor else "")]
        if is_cursor:
            return tuple((shown, f"{role} cursor".strip()) for shown, role in parts)
        return tuple(parts)

    def _mark(self, row: Row) -> Part:
        decided = self.decided.get(row.id or "")
        if decided is None:
            return " ", ""
        return ("+", "good") if decided == "keep" else ("-", "bad")

    def _number(self, line: int) -> int:
        return line if self._order is None else int(self._order[line])

    def _row(self, line: int) -> Row:
        assert self._table is not None
        return self._table.row(self._number(line))


SORTS: Mapping[str, tuple[str, ...]] = {
    "kept": (
        "id",
        "split",
        "source",
        "place",
        "label",
        "topic",
        "turns",
        "tokens",
        "characters",
        "start",
    ),
    "dropped": ("id", "step", "reason", "source", "place", "characters", "start"),
}
"""What rows can be sorted by."""
