"""Actions of the data screens."""

from __future__ import annotations

from tui.actions.action import Action, Scope

_KEPT: tuple[Scope, ...] = ("rows", "made")
_ROWS: tuple[Scope, ...] = (*_KEPT, "dropped")
_DEEPER: tuple[Scope, ...] = (*_ROWS, "row", "funnel", "trying", "pairs", "balance")
_SINGLE: tuple[Scope, ...] = ("row", "pairs")

ACTIONS = (
    Action(
        "open", ("enter", "l", "right"), "enter l", "open",
        "Open the rows, the row, or those of a reason or bar.",
        ("data", *_ROWS, "funnel", "balance"), True,
    ),
    Action("back", ("escape", "h", "left"), "esc h", "back", "Go back.", _DEEPER, True),
    Action(
        "dropped", ("d",), "d", "funnel",
        "What each step kept, dropped and changed, and why.", ("data", *_ROWS), True,
    ),
    Action("curate", ("c",), "c", "curate", "Curate a recipe, as a job.", ("data",), True),
    Action(
        "balance", ("v",), "v", "balance", "Rows by label, source, split and length, as bars.",
        ("data", *_ROWS), True,
    ),
    Action(
        "made", ("p",), "p", "made rows", "Rows made by augmenting, beside their parents.",
        ("data", "rows"), True,
    ),
    Action(
        "whole", ("space",), "space", "whole", "All of what is selected, cut nowhere.",
        ("data", *_ROWS, "funnel", "balance"),
    ),
    Action("open_file", ("o",), "o", "file", "Open any file of rows.", ("data",), True),
    Action("refresh", ("r",), "r", "refresh", "Read it anew.", ("data", *_DEEPER)),
    Action("search", ("slash",), "/", "search", "Search the whole text of all rows.", _ROWS, True),
    Action("next(1)", ("n",), "n", "next", "To the next row found.", _ROWS),
    Action("next(-1)", ("N",), "N", "previous", "To the row found before.", _ROWS),
    Action(
        "filter", ("f",), "f", "filter",
        "Only rows that fit an expression: tokens > 512 AND label = 'x'.", _ROWS, True,
    ),
    Action("sort", ("s",), "s", "sort", "Sort by a column; again: the other way.", _ROWS, True),
    Action("jump", ("i",), "i", "go to", "Go to a row by its number or id.", _ROWS),
    Action("keep", ("a",), "a", "keep", "Keep it at the next curation.", ("dropped", "made"), True),
    Action("drop", ("x",), "x", "drop", "Drop the row at the next curation.", _KEPT, True),
    Action("keep", ("a",), "a", "keep", "Keep a row that was to be dropped.", ("rows",)),
    Action("drop", ("x",), "x", "drop", "Drop a row that was to be kept.", ("dropped",)),
    Action("undo", ("u",), "u", "undo", "Take the last decision back.", _ROWS, True),
    Action(
        "explain", ("e",), "e", "explain", "What became of a row, and why.", (*_ROWS, "row"), True
    ),
    Action(
        "change", ("c",), "c", "what if",
        "Change numbers of the step; see what it would keep.", ("funnel",), True,
    ),
    Action(
        "pairs", ("p",), "p", "pairs",
        "Judge the pairs nearest to the threshold.", ("funnel",), True,
    ),
    Action("keep", ("a",), "a", "both stay", "They are two rows: both stay.", ("pairs",), True),
    Action("drop", ("x",), "x", "a copy", "One is a copy: it goes.", ("pairs",), True),
    Action("edit", ("e",), "e", "edit", "Write a text of one of them anew.", ("pairs",), True),
    Action("undo", ("u",), "u", "undo", "Take the last judgement or edit back.", ("pairs",), True),
    Action("change(1)", ("plus", "equals_sign"), "+", "more", "Raise it.", ("trying",), True),
    Action("change(-1)", ("minus",), "-", "less", "Lower it.", ("trying",), True),
    Action(
        "exact", ("enter",), "enter", "exactly", "Curate with it, write nothing.", ("trying",), True
    ),
    Action("write", ("w",), "w", "write", "Write it into the recipe.", ("trying", "pairs"), True),
    Action("pane(1)", ("tab",), "tab", "next picture", "To the next picture.", ("balance",), True),
    Action(
        "pane(-1)", ("shift+tab",), "shift+tab", "picture before", "To the picture before.",
        ("balance",),
    ),
    Action("view(1)", ("tab",), "tab", "view", "Chat, JSON, tokens, story.", ("row",), True),
    Action("view(-1)", ("shift+tab",), "shift+tab", "view back", "The view before.", ("row",)),
    Action("neighbour(1)", ("J",), "J", "next", "To the next row or pair.", _SINGLE, True),
    Action("neighbour(-1)", ("K",), "K", "before", "To the one before.", _SINGLE, True),
)  # fmt: skip
