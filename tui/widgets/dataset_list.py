"""The datasets of the workspace, one a line."""

from __future__ import annotations

from collections.abc import Sequence

from textual.events import Click
from textual.geometry import Size
from textual.message import Message

from tui.browse.datasets import DatasetRow
from tui.figures import count, moment
from tui.glyphs import Glyphs
from tui.widgets.rows import Line, Rows, fit, right


class DatasetList(Rows, can_focus=True):
    """Datasets, with one of them selected."""

    class Moved(Message):
        """Another dataset is selected."""

    class Opened(Message):
        """The selected dataset was clicked once more."""

    def __init__(self, glyphs: Glyphs, *, id: str | None = None) -> None:
        super().__init__(glyphs, id=id)
        self._rows: Sequence[DatasetRow] = ()
        self._cursor = 0
        self._top = 0

    @property
    def selected(self) -> DatasetRow | None:
        """The dataset under the cursor."""
        return self._rows[self._cursor] if self._rows else None

    def show(self, rows: Sequence[DatasetRow]) -> None:
        """Show these; the cursor stays on its dataset while that is there."""
        before = self.selected.name if self.selected else None
        if len(rows) != len(self._rows):
            self.refresh(layout=True)
        self._rows = rows
        place = [y for y, row in enumerate(rows) if row.name == before]
        self.move_to(place[0] if place else self._cursor)

    def move(self, by: int) -> None:
        """Move the cursor by lines, to the ends at most."""
        self.move_to(self._cursor + by)

    def move_to(self, line: int) -> None:
        """Move the cursor to a line."""
        self._cursor = max(0, min(len(self._rows) - 1, line))
        self.redraw()
        self.post_message(self.Moved())

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return how many lines all of them and the titles take."""
        return len(self._rows) + 1

    def on_click(self, event: Click) -> None:
        """Select the clicked dataset; open it if it was selected already."""
        line = self._top + event.y - 1
        if event.y >= 1 and line < len(self._rows):
            if line == self._cursor:
                self.post_message(self.Opened())
            self.move_to(line)

    def lines(self, width: int, height: int) -> list[Line]:
        """Return the titles and the datasets around the cursor."""
        if not self._rows:
            return []
        room = max(1, height - 1)
        self._top = max(min(self._top, self._cursor), self._cursor - room + 1, 0)
        wide = width >= 70
        name = max(8, width - (48 if wide else 24))
        titles = "    " + fit("dataset", name, "") + right("rows", 8, "") + right("dropped", 10, "")
        if wide:
            titles += "  " + fit("version", 9, "") + " " + right("made", 12, "")
        shown = self._rows[self._top : self._top + room]
        return [
            ((titles, "muted"),),
            *(self._line(self._top + y, row, name, wide, width) for y, row in enumerate(shown)),
        ]

    def _line(self, place: int, row: DatasetRow, name: int, wide: bool, width: int) -> Line:
        more = self.glyphs.ellipsis
        is_cursor = place == self._cursor
        mark = ("broken", "bad") if row.trouble else ("finished", "good")
        parts = [
            (self.glyphs.cursor if is_cursor else " ", "accent"),
            (f" {self.glyphs.marks[mark[0]]} ", mark[1]),
            (fit(row.name, name, more), "strong" if is_cursor else ""),
        ]
        if row.trouble:
            parts.append((fit(f" {row.trouble}", max(0, width - name - 5), more), "bad"))
        else:
            parts.append((right(count(row.rows or 0), 8, more), ""))
            parts.append((right(count(row.dropped or 0), 10, more), "muted"))
            if wide:
                parts.append((f"  {fit(row.digest, 9, more)} ", "muted"))
                parts.append((right(moment(row.made), 12, more), "muted"))
        if is_cursor:
            return tuple((text, f"{role} cursor".strip()) for text, role in parts)
        return tuple(parts)
