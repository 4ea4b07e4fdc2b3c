"""The real process behind the chat, on the built-in model: loads, answers, ends with the app."""

from __future__ import annotations

import psutil
import pytest

from evalsuite.builtin import model_path
from tests.tui.test_chat import ask
from tui.app import TemperApp


@pytest.mark.slow
async def test_two_models_are_loaded_answer_alike_and_end_with_the_app(made, settled, text_of):
    for name in ("one", "two"):
        (made.root / name).symlink_to(model_path())
    app = TemperApp(made.root)
    async with app.run_test(size=(100, 30)) as pilot:
        await settled(pilot)
        await pilot.press("5")
        screen = app.screen
        await pilot.press("i", *"hi", "enter")
        assert "choose two models with m" in text_of(app)
        await pilot.press("escape", "m", "j", "enter", *"./one", "enter", "j", "enter")
        await pilot.press(*"./two", "enter")
        assert screen.names == ("./one", "./two")
        await ask(pilot, "What is 2 + 3?", seconds=400)
        assert screen._state == "ready", text_of(app)
        left, right = screen._talk.turns[0].answers
        assert left.raw == right.raw != "" and left.tokens > 0
        child = psutil.Process(screen._child.pid)
    child.wait(10)
    assert not child.is_running()
