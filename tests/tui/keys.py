"""What tests of the form share: waiting for what is true, and what a person does with the keys."""

from __future__ import annotations

import time
from collections.abc import Callable

from textual.pilot import Pilot
from textual.widgets import Input

from tui.app import TemperApp
from tui.screens.dialog import Ask
from tui.screens.train import TrainScreen


async def until(pilot: Pilot[None], holds: Callable[[], object], seconds: float = 180) -> None:
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it never came"
        await pilot.pause(0.1)
    await pilot.pause()


def understood(app: TemperApp) -> bool:
    """Whether the text on the screen has been checked."""
    screen = app.screen
    assert isinstance(screen, TrainScreen)
    reading, draft = screen.state.reading, screen.draft
    return reading is not None and draft is not None and reading.text == draft.text


async def find(pilot: Pilot[None], words: str) -> None:
    """Go to a field by searching for it."""
    await pilot.press("slash")
    await until(pilot, lambda: isinstance(pilot.app.focused, Input))
    await pilot.press(*words, "enter")
    await until(pilot, lambda: isinstance(pilot.app.screen, TrainScreen))


async def type_value(pilot: Pilot[None], value: str) -> None:
    """Open the selected field, give it a value, and wait until that is understood."""
    app = pilot.app
    assert isinstance(app, TemperApp)
    before = draft_of(app)
    await pilot.press("enter")
    await until(pilot, lambda: isinstance(app.focused, Input))
    assert isinstance(app.screen, Ask)
    await pilot.press(*value, "enter")
    await until(pilot, lambda: changed(app, before))


def changed(app: TemperApp, before: str) -> bool:
    """Whether the draft is another than `before`, and checked."""
    screen = app.screen
    return isinstance(screen, TrainScreen) and draft_of(app) != before and understood(app)


def draft_of(app: TemperApp) -> str:
    """Return the text of the recipe that is shown, saved or not."""
    screen = app.screen
    assert isinstance(screen, TrainScreen) and screen.draft is not None
    return screen.draft.text
