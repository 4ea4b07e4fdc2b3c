"""Choosing the two models of a chat, and how they are asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from textual.screen import Screen

from tui.chat.talk import WORDS, Settings
from tui.screens.dialog import Ask, Choose

_TYPED = "another: type its name"
_HINT = "RUN, RUN@step-400, RUN@0.5, a model's directory"


def choose_models(
    screen: Screen[None], names: Sequence[str], then: Callable[[str, str], object]
) -> None:
    """Ask for the left model, then for the right one."""

    def left_is(left: str) -> None:
        others = [name for name in names if name != left]
        _pick(screen, f"{left} on the left; on the right", others, partial(then, left))

    _pick(screen, "The model on the left", names, left_is)


def _pick(
    screen: Screen[None], question: str, names: Sequence[str], then: Callable[[str], object]
) -> None:
    def is_typed(name: str | None) -> None:
        if name and name.strip():
            then(name.strip())

    def chosen(place: int | None) -> None:
        if place is None:
            return
        if place < len(names):
            then(names[place])
        else:
            screen.app.push_screen(Ask(question, hint=_HINT), is_typed)

    screen.app.push_screen(Choose(question, [*names, _TYPED]), chosen)


def choose_setting(
    screen: Screen[None],
    settings: Settings,
    then: Callable[[Settings], object],
    failed: Callable[[str], object],
) -> None:
    """Ask for a setting, then for its value; `failed` gets why it cannot be that."""
    names = [*WORDS]

    def typed(name: str, text: str | None) -> None:
        if text is None:
            return
        try:
            changed = settings.with_value(name, text)
        except ValueError as error:
            failed(str(error))
        else:
            failed("")
            then(changed)

    def chosen(place: int | None) -> None:
        if place is not None:
            name = names[place]
            value = str(getattr(settings, name))
            screen.app.push_screen(Ask(WORDS[name].capitalize(), value), partial(typed, name))

    shown = [f"{WORDS[name]}: {getattr(settings, name)}" for name in names]
    screen.app.push_screen(Choose("How both are asked", shown), chosen)
