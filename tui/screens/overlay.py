"""Which other runs lie over a run's curves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container
from textual.screen import ModalScreen

from tui.actions import bindings
from tui.curves.plot import STYLES
from tui.figures import measure
from tui.glyphs import ROLES, Glyphs
from tui.snapshot import RunRow
from tui.widgets.rows import Line, Rows, fit, right

MOST = len(STYLES) - 1
"""Runs that can be told apart beside the run itself."""
_FAR = 1 << 40


class RunMarks(Rows):
    """A list of runs, some of them marked."""

    def __init__(self, glyphs: Glyphs, rows: Sequence[RunRow], marked: Sequence[str]) -> None:
        super().__init__(glyphs, id="marks")
        self._rows = rows
        self.marked = list(marked)
        self._at = 0

    def lines(self, width: int, height: int) -> list[Line]:
        """Return what can be done, and the runs around the cursor."""
        shown = max(1, height - 1)
        first = max(0, min(self._at - shown // 2, len(self._rows) - shown))
        head = f"Lay over it: m marks, up to {MOST}; enter shows them"
        lines: list[Line] = [((fit(head, width, self.glyphs.ellipsis), "strong"),)]
        for place, row in enumerate(self._rows[first : first + shown], first):
            lines.append(self._line(row, width, is_current=place == self._at))
        return lines

    def _line(self, row: RunRow, width: int, *, is_current: bool) -> Line:
        cursor = " cursor" if is_current else ""
        style = STYLES[1 + self.marked.index(row.id)] if row.id in self.marked else None
        sample = "" if style is None else (style.sample if self.glyphs.braille else style.ascii * 2)
        loss = "" if row.metrics.loss is None else f"loss {measure(row.metrics.loss)}"
        tail = right(loss, 14, self.glyphs.ellipsis)
        mark = f" {self.glyphs.marks.get(row.state, '?')} "
        name = fit(row.id, max(0, width - 4 - len(mark) - len(tail)), self.glyphs.ellipsis)
        pointer = self.glyphs.cursor if is_current else " "
        return (
            (pointer, f"accent{cursor}"),
            (fit(sample, 3, ""), f"{style.role if style else 'muted'}{cursor}"),
            (mark, f"{ROLES.get(row.state, 'muted')}{cursor}"),
            (name, f"strong{cursor}" if is_current else ""),
            (tail, f"muted{cursor}"),
        )

    def move(self, by: int) -> None:
        """Move the cursor."""
        self._at = min(len(self._rows) - 1, max(0, self._at + by))
        self.redraw()

    def toggle(self) -> bool:
        """Mark the run under the cursor, or take its mark off; return whether that could be."""
        run = self._rows[self._at].id
        if run in self.marked:
            self.marked.remove(run)
        elif len(self.marked) < MOST:
            self.marked.append(run)
        else:
            return False
        self.redraw()
        return True


class Overlay(ModalScreen[tuple[str, ...] | None]):
    """A box with the other runs; answers with the ids of the marked ones."""

    CSS_PATH = "overlay.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("overlay")]

    def __init__(self, glyphs: Glyphs, rows: Sequence[RunRow], marked: Sequence[str]) -> None:
        super().__init__()
        self._marks = RunMarks(glyphs, rows, marked)
        self._marks.styles.height = len(rows) + 1

    def compose(self) -> ComposeResult:
        """Put the list into a box."""
        with Container(id="box"):
            yield self._marks

    def action_mark(self) -> None:
        """Mark the run under the cursor, or take its mark off."""
        if not self._marks.toggle():
            self.notify(f"{MOST} runs are all that can be told apart.", timeout=3)

    def action_open(self) -> None:
        """Show the marked runs."""
        self.dismiss(tuple(self._marks.marked))

    def action_back(self) -> None:
        """Leave it as it was."""
        self.dismiss(None)

    def action_move(self, by: int) -> None:
        """Move the cursor."""
        self._marks.move(by)

    def action_page(self, by: int) -> None:
        """Move the cursor by a page."""
        self._marks.move(by * max(1, self._marks.size.height - 2))

    def action_first(self) -> None:
        """Go to the first run."""
        self._marks.move(-_FAR)

    def action_last(self) -> None:
        """Go to the last run."""
        self._marks.move(_FAR)
