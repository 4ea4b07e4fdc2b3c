"""The footer: which keys do what here, made from the registry of actions."""

from __future__ import annotations

from rich.style import Style

from tui.actions import Scope, footer
from tui.glyphs import Glyphs
from tui.widgets.rows import Line, Part, Rows


class Hints(Rows):
    """One line of keys; each can be clicked."""

    def __init__(self, glyphs: Glyphs, scope: Scope) -> None:
        super().__init__(glyphs, id="hints")
        self._scope: Scope = scope

    def lines(self, width: int, height: int) -> list[Line]:
        """Return as many keys as fit; the way out and the help always stay."""
        actions = footer(self._scope)
        while sum(len(a.shown) + len(a.title) + 3 for a in actions) > width:
            spare = [a for a in actions if a.action not in ("quit", "help")]
            if not spare:
                break
            actions.remove(spare[-1])
        parts: list[Part] = []
        for action in actions:
            parts.append((f" {action.shown}", f"accent @{action.action}"))
            parts.append((f" {action.title} ", f"muted @{action.action}"))
        return [tuple(parts)]

    def _style(self, role: str) -> Style:
        """Return the style of a role; `@name` makes the text a link to an action."""
        name, _, action = role.partition(" @")
        style = super()._style(name)
        if not action:
            return style
        owner = "screen" if action in ("back", "open") else "app"
        return style + Style(meta={"@click": f"{owner}.{action}"})
