"""Leaving the app, or a recipe: what would be lost is asked about first."""

from __future__ import annotations

import pytest

from tests.tui.data_rows import until
from tui.app import TemperApp
from tui.form.draft import Draft
from tui.screens.dialog import Confirm
from tui.screens.train import TrainScreen


@pytest.fixture
def unread(monkeypatch):
    """Leave out the reading of recipes, which takes seconds."""
    monkeypatch.setattr(TrainScreen, "open", lambda screen, path: None)
    monkeypatch.setattr(TrainScreen, "read", lambda screen: None)


async def test_changes_that_are_not_saved_are_asked_about(made, unread):
    path = made.recipe().resolve()
    app = TemperApp(made.root)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("3")
        await until(pilot, lambda: isinstance(app.screen, TrainScreen))
        screen = app.screen
        assert isinstance(screen, TrainScreen)
        screen.path, screen.draft = path, Draft.read(path)
        assert app._unsaved() == []
        screen.draft.change("name: other\n")
        opened = []
        screen.open = opened.append
        screen.leave_for(made.root / "temper.yaml")
        assert opened == [] and app.screen is screen
        await pilot.press("1", "q")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("n", "q")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        assert app.is_running and not app._exit
        await pilot.press("y")
        assert app._exit


async def test_decisions_that_are_not_written_are_asked_about(made, monkeypatch):
    app = TemperApp(made.root)
    monkeypatch.setattr(app, "run_temper", lambda arguments, then: None)
    async with app.run_test(size=(80, 24)) as pilot:
        decisions = app.decisions_of(made.root / "datasets/triage/1a2b3c4d")
        assert decisions is app.decisions_of(made.root / "datasets/triage/1a2b3c4d")
        for row in ("a", "b", "c"):
            decisions.decide(row, "drop", lambda outcome: None)
        await pilot.press("q")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        assert app._unsaved() == ["Decisions about 2 rows are still to be written: wait a moment."]
