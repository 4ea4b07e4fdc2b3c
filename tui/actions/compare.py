"""Keys of the comparison."""

from __future__ import annotations

from tui.actions.action import Action, Scope

_COMPARE: tuple[Scope, ...] = ("compare",)

ACTIONS = (
    Action(
        "choose", ("c", "enter"), "c enter", "choose", "Choose what to compare.", _COMPARE, True
    ),
    Action(
        "unfold", ("space",), "space", "equal", "Show what is equal too, or not.", _COMPARE, True
    ),
    Action("swap", ("tab",), "tab", "swap", "Change left and right.", _COMPARE, True),
)
