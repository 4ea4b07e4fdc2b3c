"""The footer: which keys do what here, made from the registry of actions."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from rich.style import Style

from tui.actions import Scope, footer
from tui.glyphs import Glyphs
from tui.widgets.rows import Line, Part, Rows

if TYPE_CHECKING:
    from tui.app import TemperApp


class Hints(Rows):
    """One line of keys; each can be clicked."""

    def __init__(self, glyphs: Glyphs, scope: Scope) -> None:
        super().__init__(glyphs, id="hints")
        self.scope: Scope = scope
        """Whose keys they are."""

    def lines(self, width: int, height: int) -> list[Line]:
        """Return as many keys as fit; the way out and the help always stay."""
        actions = footer(self.scope)
        keymap = cast("TemperApp", self.app).keymap
        while sum(len(keymap.shown(a)) + len(a.title) + 3 for a in actions) > width:
            spare = [a for a in actions if a.action not in ("quit", "help")]
            if not spare:
                break
            actions.remove(spare[-1])
        parts: list[Part] = []
        for action in actions:
            owner = "app" if "app" in action.scopes else "screen"
            parts.append((f" {keymap.shown(action)}", f"accent @{owner}.{action.action}"))
            parts.append((f" {action.title} ", f"muted @{owner}.{action.action}"))
        return [tuple(parts)]

    def _style(self, role: str) -> Style:
        """Return the style of a role; `@owner.name` makes the text a link to an action."""
        name, _, action = role.partition(" @")
        style = super()._style(name)
        return style + Style(meta={"@click": action}) if action else style
