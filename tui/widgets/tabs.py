"""The line above every mode: which one this is, and the keys of the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from rich.cells import cell_len
from rich.style import Style

from tui.actions import HELPED
from tui.glyphs import Glyphs
from tui.modes import MODES
from tui.widgets.rows import Line, Part, Rows, fit

if TYPE_CHECKING:
    from tui.app import TemperApp

_MOST_ASIDE = 24
"""Cells of what is said at the right end."""


class Tabs(Rows):
    """One line; each mode can be clicked. At its right end: what the app has to say of the line."""

    def __init__(self, glyphs: Glyphs, mode: str) -> None:
        super().__init__(glyphs, id="tabs")
        self._mode = mode

    def lines(self, width: int, height: int) -> list[Line]:
        """Return the one line; where it is narrow, the others are their keys alone."""
        app = cast("TemperApp", self.app)
        aside = fit(app.aside, min(_MOST_ASIDE, cell_len(app.aside)), self.glyphs.ellipsis)
        room = width - cell_len(aside) - 1
        parts = self._parts(named=True)
        if sum(cell_len(text) for text, _ in parts) > room:
            parts = self._parts(named=False)
        spare = room - sum(cell_len(text) for text, _ in parts)
        return [(*parts, (" " * spare, ""), (aside + " ", "muted")) if spare >= 0 else tuple(parts)]

    def _parts(self, *, named: bool) -> list[Part]:
        keymap = cast("TemperApp", self.app).keymap
        parts: list[Part] = []
        for mode in MODES:
            call = f"mode('{mode.name}')"
            key = next(keymap.shown(action) for action in HELPED if action.action == call)
            link = f" @app.{call}"
            if mode.name == self._mode:
                parts.append((f"{self.glyphs.cursor}{key} {mode.name} ", f"cursor{link}"))
            else:
                parts.append((f" {key} ", f"accent{link}"))
                parts.append((f"{mode.name} " if named else "", f"muted{link}"))
        return parts

    def _style(self, role: str) -> Style:
        """Return the style of a role; `@app.name` makes the text a link to an action."""
        name, _, action = role.partition(" @")
        style = super()._style(name)
        return style + Style(meta={"@click": action}) if action else style
