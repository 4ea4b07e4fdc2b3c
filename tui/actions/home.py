"""Actions of the home screen."""

from __future__ import annotations

from tui.actions.action import Action, Scope

_HOME: tuple[Scope, ...] = ("home",)

ACTIONS = (
    Action("pane(1)", ("tab",), "tab", "pane", "To the next pane.", _HOME, True),
    Action("pane(-1)", ("shift+tab",), "shift+tab", "pane back", "To the pane before.", _HOME),
    Action("do", ("d",), "d", "do next", "Run the command that is proposed next.", _HOME, True),
    Action("stop", ("x",), "x", "stop", "Ask the selected job to save and stop.", _HOME, True),
    Action(
        "resume", ("R",), "R", "resume", "Go on with a stopped, failed or lost run.", _HOME, True
    ),
    Action("put_away", ("escape",), "esc", "put away", "Put away what came meanwhile.", _HOME),
)
