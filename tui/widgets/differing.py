"""Roles of words that differ: underlined or struck through besides their colour."""

from __future__ import annotations

from typing import ClassVar

from tui.widgets.rows import Rows


class Differing(Rows):
    """Rows with the roles `removed` and `added`; the sheet is that of answers."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"rows--removed", "rows--added"}
