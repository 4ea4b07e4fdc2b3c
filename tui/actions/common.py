"""Actions that work everywhere, and those that every list has."""

from __future__ import annotations

from tui.actions.action import Action, Scope
from tui.modes import MODES

_APP: tuple[Scope, ...] = ("app",)
LISTS: tuple[Scope, ...] = (
    "home", "help", "overlay", "batch", "log", "probes",
    "data", "rows", "dropped", "row", "funnel", "trying", "pairs",
    "balance", "made",
    "train", "proofs",
    "eval", "evaluation", "answers", "trends", "measure", "measuring", "whole",
    "chat", "duel", "compare", "doctor",
)  # fmt: skip
"""The screens on which the keys that move work."""

MOVES = (
    Action("move(1)", ("down", "j"), "j down", "down", "One line down.", LISTS),
    Action("move(-1)", ("up", "k"), "k up", "up", "One line up.", LISTS),
    Action("page(1)", ("pagedown", "ctrl+d"), "ctrl+d", "page down", "One page down.", LISTS),
    Action("page(-1)", ("pageup", "ctrl+u"), "ctrl+u", "page up", "One page up.", LISTS),
    Action("first", ("home", "g"), "g home", "first", "To the first line.", LISTS),
    Action("last", ("end", "G"), "G end", "last", "To the last line.", LISTS),
)  # fmt: skip
"""How to go through any list."""

ACTIONS = (
    Action("quit", ("q",), "q", "quit", "Leave. Jobs go on without this screen.", _APP, True),
    Action("help", ("question_mark",), "?", "help", "The keys, this screen's first.", _APP, True),
    Action(
        "palette", ("ctrl+p",), "ctrl+p", "commands",
        "Find a command, a run or a dataset by its name.", _APP, True,
    ),
    *(
        Action(f"mode('{mode.name}')", (mode.key,), mode.key, mode.name, mode.help, _APP)
        for mode in MODES
    ),
    Action(
        "open",
        ("enter", "l", "right"),
        "enter l",
        "open",
        "Open what is selected.",
        ("home",),
        True,
    ),
    Action(
        "back", ("escape", "h", "left"), "esc h", "back", "Go back.", ("help", "proofs"), True
    ),
    Action("copy", ("y",), "y", "copy", "Copy what this screen offers.", _APP),
    Action("refresh", ("r",), "r", "refresh", "Look at the disk at once.", _APP, True),
    Action("theme", ("t",), "t", "theme", "Dark, light, or the terminal's colours.", _APP, True),
    *MOVES,
)  # fmt: skip
