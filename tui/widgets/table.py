"""A table with one selected row. Only visible rows are drawn, and only the changed ones sent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, Generic, NamedTuple, Protocol, TypeVar

from textual.events import Click, MouseScrollDown, MouseScrollUp
from textual.message import Message

from tui.figures import count
from tui.glyphs import ROLES, Glyphs
from tui.widgets.dots import around
from tui.widgets.rows import Line, Part, Rows, fit, right

NARROWEST_NAME = 14


class HasId(Protocol):
    """What a row of a table must have."""

    @property
    def id(self) -> str:
        """Stays the same while the table changes around it."""
        ...


Row = TypeVar("Row", bound=HasId)


class Column(NamedTuple, Generic[Row]):
    """One column and how much it is worth: the least important go first on a narrow screen."""

    title: str
    width: int
    importance: int
    cell: Callable[[Row], Part]
    is_number: bool = False
    grows: bool = False
    """Takes what room is left, half of it beside the name."""


class Table(Rows, Generic[Row]):
    """Rows, one a line, with one of them selected."""

    TITLE: ClassVar[str]
    """What the rows are, as the heading of the first column."""
    EMPTY: ClassVar[str] = ""
    """What is said where there is none."""

    class Told(Message):
        """Something happened in a table."""

        def __init__(self, table: Table[HasId]) -> None:
            super().__init__()
            self.table = table

    class Selected(Told):
        """Another row is selected, or the selected one changed."""

    class Opened(Told):
        """The selected row was clicked once more."""

    class Touched(Told):
        """The mouse wants this table."""

    def __init__(self, glyphs: Glyphs, *, id: str | None = None) -> None:
        super().__init__(glyphs, id=id)
        self._rows: Sequence[Row] = ()
        self._cursor = 0
        self._top = 0
        self.is_active = True
        """Whether the keys are for this table: its cursor is shown."""

    def columns(self) -> Sequence[Column[Row]]:
        """Return the columns beside the name."""
        raise NotImplementedError

    def name_of(self, row: Row) -> str:
        """Return what stands in the first column."""
        raise NotImplementedError

    def state_of(self, row: Row) -> str:
        """Return the state or verdict whose glyph stands first."""
        raise NotImplementedError

    @property
    def selected(self) -> Row | None:
        """The row under the cursor."""
        return self._rows[self._cursor] if self._rows else None

    def show(self, rows: Sequence[Row]) -> None:
        """Show `rows`. The cursor stays on its row while that is there, else on its line."""
        if rows is self._rows:
            return
        before = self.selected
        self._rows = rows
        place = next(
            (y for y, row in enumerate(rows) if before is not None and row.id == before.id),
            min(self._cursor, max(0, len(rows) - 1)),
        )
        self._place(place, before)

    def activate(self, is_active: bool) -> None:
        """Say whether the keys are for this table."""
        if self.is_active != is_active:
            self.is_active = is_active
            self.redraw()

    def move(self, by: int) -> None:
        """Move the cursor by lines, to the ends at most."""
        if self._rows:
            before = self.selected
            self._place(min(len(self._rows) - 1, max(0, self._cursor + by)), before)

    def move_page(self, by: int) -> None:
        """Move the cursor by pages."""
        self.move(by * max(1, self.size.height - 2))

    def _place(self, cursor: int, before: Row | None) -> None:
        self._cursor = cursor
        self.redraw()
        if self.selected is not before:
            self.post_message(self.Selected(self))  # type: ignore[arg-type]  # any row has an id

    def on_click(self, event: Click) -> None:
        """Select the row on the clicked line; open it if it was selected already."""
        place = self._top + event.y - 1
        was_active = self.is_active
        self.post_message(self.Touched(self))  # type: ignore[arg-type]
        if event.y >= 1 and place < len(self._rows):
            if place == self._cursor and was_active:
                self.post_message(self.Opened(self))  # type: ignore[arg-type]
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
        self._top = max(0, min(self._top, len(self._rows) - room))
        columns = fitting(self.columns(), width)
        name_width, extra = self._widths(columns, width)
        visible = self._rows[self._top : self._top + room]
        self.prepare(visible)
        rows = [
            self._line(row, columns, name_width, extra, is_cursor=self._top + y == self._cursor)
            for y, row in enumerate(visible)
        ]
        if not rows and self.EMPTY:
            rows = [((fit(f"    {self.EMPTY}", width, self.glyphs.ellipsis), "muted"),)]
        return [self._titles(columns, name_width, extra), *rows]

    def prepare(self, visible: Sequence[Row]) -> None:
        """Make ready what is costly to draw, for the rows that are seen."""

    @staticmethod
    def _widths(columns: Sequence[Column[Row]], width: int) -> tuple[int, int]:
        """Return the width of the names, and how much wider the growing column is."""
        spare = max(1, width - 4 - sum(column.width + 2 for column in columns))
        if not any(column.grows for column in columns):
            return spare, 0
        name = min(spare, max(NARROWEST_NAME, spare // 3))
        return name, spare - name

    def _titles(self, columns: Sequence[Column[Row]], name_width: int, extra: int) -> Line:
        place = f"{self._cursor + 1}/{count(len(self._rows))}" if self._rows else "0"
        is_long = len(place) + len(self.TITLE) + 1 > name_width
        name = self.TITLE if is_long else f"{self.TITLE} {place}"
        text = ""
        for column in columns:
            width = column.width + (extra if column.grows else 0)
            text += "  " + (right if column.is_number else fit)(column.title, width, "")
        is_bold = self.is_active and self.has_class("pane")
        return (
            ("    " + fit(name, name_width, ""), "strong" if is_bold else "muted"),
            (text, "muted"),
        )

    def _line(
        self,
        row: Row,
        columns: Sequence[Column[Row]],
        name_width: int,
        extra: int,
        *,
        is_cursor: bool,
    ) -> Line:
        more, is_cursor = self.glyphs.ellipsis, is_cursor and self.is_active
        state = self.state_of(row)
        parts: list[Part] = [
            (self.glyphs.cursor if is_cursor else " ", "accent"),
            (f" {self.glyphs.marks.get(state, ' ' if not state else '?')} ", ROLES.get(state, "")),
            (fit(self.name_of(row), name_width, more), "strong" if is_cursor else ""),
        ]
        for column in columns:
            text, role = column.cell(row)
            width = column.width + (extra if column.grows else 0)
            shown = (right if column.is_number else fit)(text, width, more)
            before, core, after = around("  " + shown) if role == "curve" else ("  ", shown, "")
            parts += [(before, ""), (core, role), (after, "")]
        if is_cursor:
            return tuple((text, f"{role} cursor".strip()) for text, role in parts)
        return tuple(parts)


def fitting(columns: Sequence[Column[Row]], width: int) -> list[Column[Row]]:
    """Return the columns there is room for beside a name."""
    kept = sorted(columns, key=lambda column: column.importance)
    while kept and sum(column.width + 2 for column in kept) + 4 + NARROWEST_NAME > width:
        kept.pop(0)
    return [column for column in columns if column in kept]
