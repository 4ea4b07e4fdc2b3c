"""Giving an evaluation a name, and holding a run against one that has a name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tui.glyphs import Glyphs
from tui.screens.dialog import Ask
from workspace.text import plain

if TYPE_CHECKING:
    from tui.app import TemperApp


def ask_to_bless(app: TemperApp, evaluation: str, model: str | None) -> None:
    """Ask for a name and a reason, and bless the evaluation of a model."""
    which = f" of {plain(model, limit=60)}" if model else ""

    def named(name: str | None) -> None:
        if name and name.strip():
            question = "Why? (kept in its record; may be empty)"
            app.push_screen(Ask(question), lambda why: reasoned(name.strip(), why))

    def reasoned(name: str, why: str | None) -> None:
        if why is None:
            return
        chosen = ["--model", model] if model else []
        reason = ["--why", why.strip()] if why.strip() else []
        app.run_temper(["bless", evaluation, name, *chosen, *reason])

    app.push_screen(Ask(f"Name for this evaluation{which}", hint="production"), named)


def ask_against(app: TemperApp, glyphs: Glyphs, root: Path, run: str) -> None:
    """Choose a blessed evaluation to hold a run against."""
    from tui.screens.measure import MeasureScreen

    app.push_screen(MeasureScreen(glyphs, root, run=run, at="against"))
