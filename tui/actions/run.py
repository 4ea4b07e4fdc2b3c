"""Actions on the screen of one run and on those that open from it."""

from __future__ import annotations

from tui.actions.action import Action, Scope

_RUN: tuple[Scope, ...] = ("run",)
_MARKS: tuple[Scope, ...] = ("overlay",)
_BATCH: tuple[Scope, ...] = ("batch",)
_LOG: tuple[Scope, ...] = ("log",)
_PROBES: tuple[Scope, ...] = ("probes",)

ACTIONS = (
    Action("back", ("escape", "h"), "esc h", "back", "Go back.", _RUN, True),
    Action("do", ("a",), "a", "do", "Resume, evaluate, dial or export it.", _RUN, True),
    Action("log", ("L",), "L", "log", "The log: follow, search, filter.", _RUN, True),
    Action(
        "open", ("enter", "l"), "enter l", "rows", "The rows that the step was learnt from.", _RUN,
        True,
    ),
    Action(
        "probes", ("p",), "p", "probes", "Learnt against forgotten, and the alarms.", _RUN, True
    ),
    Action(
        "move(1)", ("down", "j"), "j down", "metric", "The chart's next metric.", _RUN, True
    ),
    Action("move(-1)", ("up", "k"), "k up", "metric before", "The metric before it.", _RUN),
    Action("pane", ("tab",), "tab", "pane", "To the other chart.", _RUN),
    Action(
        "cursor(1)", ("right",), "right", "read", "The cursor to the next step: it reads values.",
        _RUN,
    ),
    Action("cursor(-1)", ("left",), "left", "read back", "The cursor to the step before.", _RUN),
    Action(
        "page(1)", ("pagedown", "ctrl+d", "shift+right"), "ctrl+d", "leap",
        "The cursor a tenth of the chart on.", _RUN,
    ),
    Action(
        "page(-1)", ("pageup", "ctrl+u", "shift+left"), "ctrl+u", "leap back",
        "The cursor a tenth of the chart back.", _RUN,
    ),
    Action("first", ("home", "g"), "g home", "first", "The cursor to the first step.", _RUN),
    Action("last", ("end", "G"), "G end", "last", "The cursor to the latest step.", _RUN),
    Action(
        "mark(1)", ("n",), "n", "next mark",
        "The cursor to the next alarm or value that is no number.", _RUN,
    ),
    Action("mark(-1)", ("N",), "N", "mark before", "To the one before.", _RUN),
    Action("zoom(0.5)", ("plus", "equals_sign"), "+", "zoom", "Half as many steps.", _RUN, True),
    Action("zoom(2.0)", ("minus",), "-", "zoom out", "Twice as many steps.", _RUN),
    Action("whole", ("0",), "0", "all", "All steps, and no cursor.", _RUN),
    Action("pan(0.25)", ("greater_than_sign",), ">", "later", "Later steps.", _RUN),
    Action("pan(-0.25)", ("less_than_sign",), "<", "earlier", "Earlier steps.", _RUN),
    Action(
        "smooth", ("e",), "e", "smooth", "Average the curves (EMA), over more points, or not.",
        _RUN, True,
    ),
    Action("scale", ("v",), "v", "log scale", "A logarithmic axis, or an even one.", _RUN, True),
    Action("stop", ("x",), "x", "stop", "Have it save and stop.", _RUN),
    Action("verdict", ("d",), "d", "verdict", "The evaluation that judged it.", _RUN),
    Action("chat", ("c",), "c", "talk", "Talk to it and its base.", _RUN),
    Action(
        "overlay", ("o",), "o", "other runs", "Lay other runs over it, or take them off.", _RUN,
        True,
    ),
    Action("back", ("escape", "h", "left"), "esc h", "back", "Leave it as it was.", _MARKS),
    Action("open", ("enter", "l", "right"), "enter", "show", "Show the marked runs.", _MARKS),
    Action("mark", ("m", "space"), "m", "mark", "In a list of runs: mark one, or not.", _MARKS),
    Action("back", ("escape", "h", "left"), "esc h", "back", "Back to the run.", _BATCH, True),
    Action("next_row(1)", ("n",), "n", "next row", "To the next row of the step.", _BATCH, True),
    Action("next_row(-1)", ("N",), "N", "row before", "To the row before it.", _BATCH),
    Action(
        "step(1)", ("greater_than_sign",), ">", "next step", "The rows of the next step.", _BATCH,
        True,
    ),
    Action(
        "step(-1)", ("less_than_sign",), "<", "step before", "The rows of the step before.", _BATCH,
        True,
    ),
    Action("back", ("escape", "h"), "esc h", "back", "All lines again; then the run.", _LOG, True),
    Action("search", ("slash",), "/", "search", "Go to lines with these words.", _LOG, True),
    Action("next_match(1)", ("n",), "n", "below", "To the next line that has them.", _LOG, True),
    Action("next_match(-1)", ("N",), "N", "above", "To the line above that has them.", _LOG, True),
    Action("filter", ("ampersand",), "&", "filter", "Show only lines with these.", _LOG, True),
    Action(
        "fold", ("f",), "f", "own lines", "Leave out what libraries log, or not.",
        ("log", "measuring"), True,
    ),
    Action("shift(1)", ("right",), "right", "right", "What is right of the edge.", _LOG),
    Action("shift(-1)", ("left",), "left", "left", "Back to the left.", _LOG),
    Action("back", ("escape", "h", "left"), "esc h", "back", "Back to the run.", _PROBES, True),
    Action(
        "answers", ("enter", "l", "right"), "enter l", "answers", "What it said beside the base.",
        _PROBES, True,
    ),
)  # fmt: skip
