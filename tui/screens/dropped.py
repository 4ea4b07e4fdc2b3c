"""The rows that a dataset's steps dropped: why, and which row each repeats."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual.binding import BindingType

from tui.actions import Scope, bindings
from tui.glyphs import Glyphs
from tui.screens.rows import RowsScreen


class DroppedScreen(RowsScreen):
    """As the rows that were kept, with other keys."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("dropped")]
    SCOPE: ClassVar[Scope] = "dropped"

    def __init__(self, glyphs: Glyphs, root: Path, path: Path, only: str, title: str) -> None:
        super().__init__(glyphs, root, path, "dropped", only, title)
