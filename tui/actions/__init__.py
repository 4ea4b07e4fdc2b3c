"""Every action of the app, once: keys, footer, palette and help are made from this list.

The actions of a screen stand in a file of their own beside this one.
"""

from __future__ import annotations

from typing import get_args

from textual.binding import Binding

from tui.actions import (
    chat,
    common,
    compare,
    data,
    dialogs,
    duel,
    evaluations,
    home,
    run,
    train,
)
from tui.actions.action import Action, Scope

ACTIONS: tuple[Action, ...] = (
    *common.ACTIONS,
    *home.ACTIONS,
    *data.ACTIONS,
    *train.ACTIONS,
    *run.ACTIONS,
    *evaluations.ACTIONS,
    *chat.ACTIONS,
    *duel.ACTIONS,
    *compare.ACTIONS,
    *dialogs.ACTIONS,
)

HELPED: tuple[Action, ...] = tuple(a for a in ACTIONS if a not in dialogs.ACTIONS)
"""Those that the help lists and that a keymap file can give other keys."""

SCOPES: tuple[Scope, ...] = get_args(Scope)

__all__ = ["ACTIONS", "HELPED", "SCOPES", "Action", "Scope", "bindings", "footer", "of_scope"]


def of_scope(scope: Scope) -> list[Action]:
    """Return the actions of a scope alone, without those that work everywhere."""
    return [action for action in ACTIONS if scope in action.scopes]


def bindings(scope: Scope) -> list[Binding]:
    """Return the Textual bindings of a screen, or of the app itself.

    A modal screen hides the app's bindings, so the help has them as its own.
    """
    own = [(action, action.action) for action in of_scope(scope)]
    if scope == "help":
        own += [(action, f"app.{action.action}") for action in of_scope("app")]
    return [
        Binding(
            ",".join(found.keys),
            called,
            found.title,
            show=False,
            id=found.name if found in HELPED else None,
        )
        for found, called in own
    ]


def footer(scope: Scope) -> list[Action]:
    """Return what the footer of a screen shows: its own actions first."""
    return [found for found in (*of_scope(scope), *of_scope("app")) if found.in_footer]
