"""Keys of the small questions; they are said in the boxes themselves, not in the help."""

from __future__ import annotations

from tui.actions.action import Action

ACTIONS = (
    Action(
        "cancel", ("escape",), "esc", "leave", "Leave without an answer.",
        ("ask", "choose", "confirm", "notice", "edit-text"),
    ),
    Action("cancel", ("enter", "q"), "enter", "leave", "Leave.", ("notice",)),
    Action("cancel", ("n", "q"), "n", "leave it", "Do nothing.", ("confirm",)),
    Action("save", ("ctrl+s",), "ctrl+s", "take it", "Take the text as it is.", ("edit-text",)),
    Action("yes", ("y",), "y", "do it", "Do it.", ("confirm",)),
    Action("move(1)", ("j",), "j", "down", "One line down.", ("choose",)),
    Action("move(-1)", ("k",), "k", "up", "One line up.", ("choose",)),
    Action("cancel", ("escape", "ctrl+p"), "esc", "leave", "Leave.", ("palette",)),
    Action("move(1)", ("down", "ctrl+n"), "down", "down", "One line down.", ("palette",)),
    Action("move(-1)", ("up",), "up", "up", "One line up.", ("palette",)),
    Action("page(1)", ("pagedown",), "pgdn", "page down", "One page down.", ("palette",)),
    Action("page(-1)", ("pageup",), "pgup", "page up", "One page up.", ("palette",)),
)  # fmt: skip
