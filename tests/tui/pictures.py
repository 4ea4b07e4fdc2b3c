"""Pictures of screens as text: the characters, and beside them a letter for each cell's style.

`UPDATE_PICTURES=1 pytest tests/tui` writes them anew; look at the difference before committing it.
"""

from __future__ import annotations

import os
import string
from pathlib import Path

from rich.cells import cell_len
from rich.style import Style
from textual.pilot import Pilot

from tests.tui.conftest import settle
from tui import themes
from tui.app import TemperApp

DIRECTORY = Path(__file__).parent / "pictures"
SIZES = ((80, 24), (160, 48))
THEMES = (themes.DARK.name, themes.LIGHT.name)
_LETTERS = string.ascii_letters + string.digits + string.punctuation


def draw(app: TemperApp) -> str:
    """Return what the terminal shows: text, then styles, then what each letter means."""
    names: dict[str, str] = {}
    text, styles = [], []
    for strip in app.screen._compositor.render_strips():
        text.append(strip.text.rstrip())
        letters = ""
        for segment in strip:
            shown = _named(segment.style)
            letter = names.setdefault(shown, _LETTERS[len(names) % len(_LETTERS)])
            letters += letter * cell_len(segment.text)
        styles.append(letters)
    legend = [f"{letter}: {style}" for style, letter in names.items()]
    return "\n".join([*text, "----", *styles, "----", *legend]) + "\n"


async def _at_rest(pilot: Pilot[None]) -> str:
    """Draw once nothing changes any more: a text may be read or cut for the new width."""
    app = pilot.app
    assert isinstance(app, TemperApp)
    drawn = ""
    for _ in range(20):
        await settle(pilot)
        await app.workers.wait_for_complete()
        await pilot.pause()
        before, drawn = drawn, draw(app)
        if drawn == before:
            break
    return drawn


def _named(style: Style | None) -> str:
    """Return a style without what is not seen (the links of a footer, say)."""
    if style is None:
        return "none"
    seen = Style(
        color=style.color,
        bgcolor=style.bgcolor,
        bold=style.bold,
        dim=style.dim,
        italic=style.italic,
        underline=style.underline,
        reverse=style.reverse,
    )
    return str(seen)


async def check_pictures(pilot: Pilot[None], name: str) -> None:
    """Compare a screen with its pictures: two sizes, dark and light.

    Raises:
        AssertionError: it looks different; the message says where the new picture is.
    """
    app = pilot.app
    assert isinstance(app, TemperApp)
    different = []
    for width, height in SIZES:
        await pilot.resize_terminal(width, height)
        for theme in THEMES:
            app.theme = theme
            drawn = await _at_rest(pilot)
            path = DIRECTORY / f"{name}-{width}x{height}-{theme.removeprefix('temper-')}.txt"
            known = path.read_text(encoding="utf-8") if path.is_file() else ""
            if drawn == known:
                continue
            if os.environ.get("UPDATE_PICTURES"):
                path.parent.mkdir(exist_ok=True)
                path.write_text(drawn, encoding="utf-8")
                continue
            different.append(_difference(path.name, known, drawn))
    assert not different, "\n\n".join(different)


def _difference(name: str, known: str, drawn: str) -> str:
    import difflib

    lines = difflib.unified_diff(
        known.splitlines(), drawn.splitlines(), f"{name} (kept)", f"{name} (now)", lineterm="", n=1
    )
    return "\n".join([*lines][:60])
