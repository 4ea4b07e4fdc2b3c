"""What a person does in the app between one picture and the next, and the wait that follows."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from textual.pilot import Pilot
from textual.widgets import OptionList

from tui.app import TemperApp

_PATIENCE_SECONDS = 120.0
"""Models are loaded and recipes planned by processes of their own: that takes long at times."""
_AT_REST_SECONDS = 0.3
"""An app that shows the same for so long, and waits for nothing, has drawn what it has."""


class NeverShown(RuntimeError):
    """The app did not come to show what was waited for."""


@dataclass(frozen=True)
class Shows:
    """Wait until the screen shows a text."""

    text: str


@dataclass(frozen=True)
class Types:
    """Type a text, letter by letter."""

    text: str


@dataclass(frozen=True)
class Picks:
    """Go down a list until the line under the cursor has a text."""

    text: str


Step = str | Shows | Types | Picks
"""One of these, or a key as Textual names it."""


def _is_shown(pilot: Pilot[None], text: str) -> bool:
    return text in shown(pilot.app)


async def take(pilot: Pilot[None], steps: Sequence[Step]) -> None:
    """Do what a person would, waiting after each step until the app is at rest.

    Raises:
        NeverShown: a text that was waited for did not come.
    """
    for step in steps:
        if isinstance(step, Shows):
            await _until(pilot, partial(_is_shown, pilot, step.text), step.text)
        elif isinstance(step, Types):
            await pilot.press(*("space" if one == " " else one for one in step.text))
        elif isinstance(step, Picks):
            await _pick(pilot, step.text)
        else:
            await pilot.press(step)
        await rest(pilot)


def shown(app: object) -> str:
    """Return the text on the screen."""
    assert isinstance(app, TemperApp)
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())


async def rest(pilot: Pilot[None]) -> None:
    """Wait until nothing is worked on and the screen no longer changes."""
    app = pilot.app
    assert isinstance(app, TemperApp)
    before, since, begun = "", time.monotonic(), time.monotonic()
    while time.monotonic() - since < _AT_REST_SECONDS:
        await pilot.pause(0.05)
        text = shown(app)
        is_busy = app.commands_running or any(not one.is_finished for one in app.workers)
        is_busy = is_busy or getattr(app.screen, "is_answering", False)
        if is_busy or app.snapshot.pending or text != before:
            before, since = text, time.monotonic()
        if time.monotonic() - begun > _PATIENCE_SECONDS:
            raise NeverShown(f"it never came to rest:\n{text}")


async def _pick(pilot: Pilot[None], text: str) -> None:
    if not pilot.app.screen.query(OptionList):
        await pilot.press("g")
    seen = ""
    while True:
        await rest(pilot)
        line = _picked(pilot.app)
        if text in line:
            return
        if line == seen:
            raise NeverShown(f"no line has {text!r}:\n{shown(pilot.app)}")
        seen = line
        await pilot.press("j")


def _picked(app: object) -> str:
    """Return the line under the cursor, of a box or of the screen."""
    assert isinstance(app, TemperApp)
    for options in app.screen.query(OptionList):
        place = options.highlighted
        return "" if place is None else str(options.get_option_at_index(place).prompt)
    lines = shown(app).splitlines()
    return next((line for line in lines if app.glyphs.cursor in line[:3]), "")


async def _until(pilot: Pilot[None], holds: Callable[[], bool], wanted: str) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            raise NeverShown(f"{wanted!r} never came:\n{shown(pilot.app)}")
        await asyncio.sleep(0)
        await pilot.pause(0.05)
