"""Every action of the app, once: keys, footer and help are made from this list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from textual.binding import Binding

Scope = Literal["app", "home", "run", "help"]


@dataclass(frozen=True)
class Action:
    """Something a key does. The same key means the same everywhere."""

    action: str
    """What Textual calls: a method `action_<name>` of the screen or the app."""
    keys: tuple[str, ...]
    shown: str
    """The keys as the footer and the help print them, in ASCII."""
    title: str
    """One or two words for the footer."""
    help: str
    """One sentence for the help."""
    scopes: tuple[Scope, ...]
    in_footer: bool = False


_APP: tuple[Scope, ...] = ("app",)
_LISTS: tuple[Scope, ...] = ("home", "run", "help")

ACTIONS = (
    Action("quit", ("q",), "q", "quit", "Leave. Jobs go on without this screen.", _APP, True),
    Action("help", ("question_mark",), "?", "help", "Show or hide this page.", _APP, True),
    Action("open", ("enter", "l", "right"), "enter l", "open", "Open the run.", ("home",), True),
    Action("back", ("escape", "h", "left"), "esc h", "back", "Go back.", ("run", "help"), True),
    Action("refresh", ("r",), "r", "refresh", "Look at the disk at once.", _APP, True),
    Action("theme", ("t",), "t", "theme", "Dark, light, or the terminal's colours.", _APP, True),
    Action("move(1)", ("down", "j"), "j down", "down", "One line down.", _LISTS),
    Action("move(-1)", ("up", "k"), "k up", "up", "One line up.", _LISTS),
    Action("page(1)", ("pagedown", "ctrl+d"), "ctrl+d", "page down", "One page down.", _LISTS),
    Action("page(-1)", ("pageup", "ctrl+u"), "ctrl+u", "page up", "One page up.", _LISTS),
    Action("first", ("home", "g"), "g home", "first", "To the first line.", _LISTS),
    Action("last", ("end", "G"), "G end", "last", "To the last line.", _LISTS),
)


def bindings(scope: Scope) -> list[Binding]:
    """Return the Textual bindings of a screen, or of the app itself.

    A modal screen hides the app's bindings, so the help has them as its own.
    """
    own = [(action, action.action) for action in ACTIONS if scope in action.scopes]
    if scope == "help":
        own += [(action, f"app.{action.action}") for action in ACTIONS if "app" in action.scopes]
    return [Binding(",".join(found.keys), called, found.title, show=False) for found, called in own]


def footer(scope: Scope) -> list[Action]:
    """Return what the footer of a screen shows: its own actions first."""
    shown = [action for action in ACTIONS if action.in_footer]
    own = [action for action in shown if scope in action.scopes]
    return own + [action for action in shown if "app" in action.scopes]
