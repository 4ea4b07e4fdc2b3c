"""One line that names the panes of a screen, for terminals where one is shown at a time."""

from __future__ import annotations

from collections.abc import Sequence

from rich.style import Style

from tui.glyphs import Glyphs
from tui.widgets.rows import Line, Part, Rows


class PaneTabs(Rows):
    """Names of panes with how much is in each; a click leads there.

    The open one stands in brackets, so that no colour is needed to tell it.
    """

    def __init__(self, glyphs: Glyphs, *, id: str) -> None:
        super().__init__(glyphs, id=id)
        self._tabs: Sequence[tuple[str, str]] = ()
        self._active = 0

    def show(self, tabs: Sequence[tuple[str, str]], active: int) -> None:
        """Show the names, each with a short remark, and which of them is open."""
        self._tabs, self._active = tabs, active
        self.redraw()

    def lines(self, width: int, height: int) -> list[Line]:
        """Return the one line; remarks give way where it is narrow."""
        shown = [f"{name} {remark}".rstrip() for name, remark in self._tabs]
        if sum(len(text) + 2 for text in shown) > width:
            shown = [name for name, _ in self._tabs]
        parts: list[Part] = []
        for place, name in enumerate(shown):
            is_open = place == self._active
            text, role = (f"[{name}]", "strong cursor") if is_open else (f" {name} ", "muted")
            parts.append((text, f"{role} @{place}"))
        return [tuple(parts)]

    def _style(self, role: str) -> Style:
        name, _, place = role.partition(" @")
        style = super()._style(name)
        return style + Style(meta={"@click": f"screen.show_pane({place})"}) if place else style
