"""Keys of the chat and of what opens from it."""

from __future__ import annotations

from tui.actions.action import Action, Scope

_CHAT: tuple[Scope, ...] = ("chat",)

ACTIONS = (
    Action(
        "write", ("i", "enter"), "i enter", "write", "Write a question to both models.",
        _CHAT, True,
    ),
    Action(
        "stop", ("escape",), "esc", "stop", "Stop both answers, or leave the line.", _CHAT, True
    ),
    Action("models", ("m",), "m", "models", "Choose the two models.", _CHAT, True),
    Action(
        "settings", ("o",), "o", "options", "System prompt, temperature, seed, most tokens.",
        _CHAT, True,
    ),
    Action("save", ("w",), "w", "save", "Save the last turn as a row, a pair or an item.", _CHAT,
           True),
    Action("duel", ("b",), "b", "duel", "A blind duel of the two models.", _CHAT, True),
    Action("marks", ("d",), "d", "marks", "Underline the words that differ, or not.", _CHAT),
    Action("pane", ("tab",), "tab", "pane", "To the other model's answers.", _CHAT),
    Action("undo", ("u",), "u", "take back", "Take the last question back.", _CHAT),
    Action("anew", ("x",), "x", "new", "Begin a new conversation.", _CHAT),
)  # fmt: skip
