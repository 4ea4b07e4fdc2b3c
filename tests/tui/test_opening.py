"""A recipe, a conversation, a comparison opened from elsewhere: whatever lies on top gives way."""

from __future__ import annotations

import threading

import pytest

from tui.app import TemperApp
from tui.chat.talk import Settings, Turn
from tui.duel.play import Play
from tui.duel.record import make_duel
from tui.screens.chat import ChatScreen
from tui.screens.compare import CompareScreen
from tui.screens.dialog import Confirm, Notice
from tui.screens.duel import DuelScreen
from tui.screens.train import TrainScreen


class Models:
    """Stands in for the models' process."""

    is_ready = True
    is_closed = False

    def __init__(self):
        self.deliver = lambda child, event: None
        self.sent = []

    def send(self, **request):
        self.sent.append(request)

    def close(self):
        self.is_closed = True


async def chat_of(app: TemperApp) -> ChatScreen:
    """Open the chat with a run."""
    await app.open_chat("mine")
    assert isinstance(app.screen, ChatScreen)
    return app.screen


@pytest.mark.slow
async def test_what_lies_on_top_gives_way(made, settled):
    recipe = made.recipe()
    app = TemperApp(made.root)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        for mode in ("train", "compare"):
            await app.action_mode(mode)
            await app.push_screen(Notice("in the way", "of what is opened"))
        await app.open_compare("one", "two", "recipes")
        assert isinstance(app.screen, CompareScreen)
        assert app.screen._pair == ("recipes", "one", "two")
        await app.open_recipe(recipe)
        assert isinstance(app.screen, TrainScreen)
        assert app.screen.path == recipe


async def test_a_duel_on_top_gives_its_models_back_to_the_chat(made, settled):
    app = TemperApp(made.root)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        chat = await chat_of(app)
        prompts = [({"role": "user", "content": "hi"},)]
        duel = make_duel(made.root, ("base", "mine"), Settings(), prompts, source="a list")
        for run in ("mine", "other"):
            chat._child = models = Models()
            chat._open_duel(Play.of(duel))
            await pilot.pause()
            assert isinstance(app.screen, DuelScreen)
            await app.open_chat(run)
            await pilot.pause()
            assert app.screen is chat
            assert chat.names == ("base", run)
            assert chat._child is (models if run == "mine" else None)
            assert models.is_closed == (run == "other")


async def test_a_conversation_is_not_lost_without_a_question(made, settled):
    app = TemperApp(made.root)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        chat = await chat_of(app)
        chat._talk.turns.append(Turn("what was asked"))
        await app.open_chat("mine")
        assert app.screen is chat
        for key, names, turns in (("n", ("base", "mine"), 1), ("y", ("base", "other"), 0)):
            await app.open_chat("other")
            await pilot.pause()
            assert isinstance(app.screen, Confirm)
            await pilot.press(key)
            await pilot.pause()
            assert (chat.names, len(chat._talk.turns)) == (names, turns)


async def test_a_duel_is_read_in_a_thread(made, settled, monkeypatch):
    duel = make_duel(made.root, ("base", "mine"), Settings(), [], source="a list")
    readers = []
    read = Play.of
    monkeypatch.setattr(
        Play, "of", lambda duel: readers.append(threading.current_thread()) or read(duel)
    )
    app = TemperApp(made.root)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        chat = await chat_of(app)
        chat._child = Models()
        await pilot.press("b")
        await app.workers.wait_for_complete()
        await pilot.pause()
        await pilot.press("enter")
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert isinstance(app.screen, DuelScreen)
        assert app.screen._play.duel == duel
        assert readers and threading.main_thread() not in readers
