"""The rows that were made from others, each beside what it was made from: kept or dropped."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual.binding import BindingType

from tui.actions import Scope, bindings
from tui.browse.table import Table
from tui.glyphs import Glyphs
from tui.screens.rows import RowsScreen
from tui.widgets.rows import Line

MADE = "parents IS NOT NULL"


class MadeScreen(RowsScreen):
    """As all rows of a dataset, with the comparison in place of the preview."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("made")]
    SCOPE: ClassVar[Scope] = "made"

    def __init__(self, glyphs: Glyphs, root: Path, path: Path) -> None:
        super().__init__(glyphs, root, path, "kept", MADE, "made rows")
        self.empty = "No row here was made from another: temper curate augment makes some."

    def preview_lines(self, table: Table, number: int, width: int) -> list[Line]:
        """Return the selected row beside its parents; called in a thread."""
        from tui.browse.made import made_lines

        return made_lines(table, number, self.root, width)

    def action_keep(self) -> None:
        """Keep the selected row, and go on to the next one."""
        row = self.rows.selected
        is_undecided = row is not None and self.rows.decided.get(row.id or "") != "drop"
        super().action_keep()
        if is_undecided:
            self.rows.move(1)
