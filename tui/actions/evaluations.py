"""What the keys of the Eval screens do."""

from __future__ import annotations

from tui.actions.action import Action, Scope

_LIST: tuple[Scope, ...] = ("eval",)
_ONE: tuple[Scope, ...] = ("evaluation",)
_ANSWERS: tuple[Scope, ...] = ("answers",)
_TRENDS: tuple[Scope, ...] = ("trends",)
_MEASURE: tuple[Scope, ...] = ("measure",)
SUB_SCREENS: tuple[Scope, ...] = (
    "evaluation",
    "answers",
    "trends",
    "measure",
    "measuring",
    "whole",
)
"""The screens that open over the list of evaluations."""

ACTIONS = (
    Action("open", ("enter", "l", "right"), "enter l", "open", "Open the evaluation.", _LIST, True),
    Action("open", ("enter", "l", "right"), "enter l", "answers", "Answers that changed in it.",
           _ONE, True),
    Action("changed", ("f",), "f", "flips", "Answers that changed in all abilities.", _ONE, True),
    Action("pane(1)", ("tab",), "tab", "next page", "Picture, verdict, own data, prompts, checks.",
           _ONE, True),
    Action("pane(-1)", ("shift+tab",), "shift+tab", "page before", "The page before.", _ONE),
    Action("kind", ("d",), "d", "which", "Lost, gained, both, still wrong, or all items.",
           _ANSWERS, True),
    Action("ability", ("a",), "a", "ability", "Answers of one ability.", _ANSWERS, True),
    Action("cluster", ("c",), "c", "group", "Items of one group or cluster.", _ANSWERS, True),
    Action("nearest", ("i",), "i", "nearest rows", "The training rows nearest to the item.",
           _ANSWERS, True),
    Action("save", ("w",), "w", "save", "Save the items as eval items or training rows.",
           _ANSWERS, True),
    Action("open", ("enter", "l", "right"), "enter l", "open", "The whole item.", _ANSWERS),
    Action("open", ("enter", "l", "right"), "enter l", "open", "Open the latest evaluation of it.",
           _TRENDS, True),
    Action("open", ("enter", "l", "right"), "enter l", "choose", "Choose a line, or start.",
           _MEASURE, True),
    Action("start", ("S",), "S", "start", "Start it as shown, detached.", _MEASURE, True),
    Action("measure", ("e",), "e", "evaluate", "Evaluate a run.", ("eval", "evaluation"), True),
    Action("filter", ("slash",), "/", "filter", "Show only what has a text.",
           ("eval", "answers"), True),
    Action("sort", ("s",), "s", "sort", "Another order.", ("eval", "evaluation", "answers"), True),
    Action("trends", ("v",), "v", "trend", "Scores over all evaluations.",
           ("eval", "evaluation"), True),
    Action("bless", ("b",), "b", "bless", "Give it a name to hold others against.",
           ("eval", "evaluation"), True),
    Action("against", ("a",), "a", "against", "Hold the run against a blessed evaluation.",
           ("eval", "evaluation")),
    Action("model", ("m",), "m", "model", "The next model that was compared.", _ONE),
    Action("whole", ("space",), "space", "whole", "The whole text of the picked line.",
           ("eval", "evaluation", "answers"), True),
    Action("back", ("escape", "h", "left"), "esc h", "back", "Go back.", SUB_SCREENS, True),
)  # fmt: skip
