"""Keys of a blind duel."""

from __future__ import annotations

from tui.actions.action import Action, Scope

_DUEL: tuple[Scope, ...] = ("duel",)

ACTIONS = (
    Action(
        "vote('left')", ("left", "left_square_bracket"), "[", "left",
        "The left is better (the left arrow too).", _DUEL, True,
    ),
    Action(
        "vote('right')", ("right", "right_square_bracket"), "]", "right",
        "The right is better (the right arrow too).", _DUEL, True,
    ),
    Action(
        "vote('both good')", ("plus", "equals_sign"), "+", "good", "Both are good.", _DUEL,
        True,
    ),
    Action("vote('both bad')", ("minus",), "-", "bad", "Both are bad.", _DUEL, True),
    Action("vote('skip')", ("0",), "0", "skip", "Pass over this prompt.", _DUEL, True),
    Action("undo", ("u",), "u", "take back", "Take the last vote back.", _DUEL, True),
    Action("reveal", ("e",), "e", "end", "End, and see who is who.", _DUEL, True),
    Action("write", ("i", "enter"), "i enter", "write", "Type a prompt more.", _DUEL),
    Action("save", ("w",), "w", "save", "Save the votes as rows, pairs or items.", _DUEL),
    Action("pane", ("tab",), "tab", "pane", "To the other answer.", _DUEL),
    Action("back", ("escape", "h"), "esc h", "back", "Leave; the votes are kept.", _DUEL),
)  # fmt: skip
