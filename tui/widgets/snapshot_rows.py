"""Rows that tell of the whole workspace."""

from __future__ import annotations

from tui.glyphs import Glyphs
from tui.snapshot import Snapshot
from tui.widgets.rows import Rows


class SnapshotRows(Rows):
    """Lines made of a snapshot; None until the first is read."""

    def __init__(self, glyphs: Glyphs, *, id: str) -> None:
        super().__init__(glyphs, id=id)
        self._snapshot: Snapshot | None = None

    def show(self, snapshot: Snapshot) -> None:
        """Show another snapshot."""
        self._snapshot = snapshot
        self.redraw()
