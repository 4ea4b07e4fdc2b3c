"""The chat: questions to two models by keys, and a child that answers, fails and dies."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.tui.pictures import check_pictures
from tui.app import TemperApp
from tui.chat import child as child_module
from tui.screens.chat import ChatScreen
from tui.screens.dialog import Confirm

SCRIPT = Path(__file__).with_name("scripted_child.py")


@pytest.fixture(autouse=True)
def _scripted(monkeypatch):
    monkeypatch.setattr(
        child_module, "program", lambda arguments: [sys.executable, "-P", str(SCRIPT), *arguments]
    )


async def until(pilot, told, *, seconds=60.0):
    """Wait until `told()` is true."""
    deadline = time.monotonic() + seconds
    while not told():
        await pilot.pause(0.02)
        assert time.monotonic() < deadline, "it did not come to be"
    await pilot.pause()


async def ask(pilot, question, *, seconds=60.0):
    """Type a question, send it, and wait until it is answered and drawn."""
    screen = pilot.app.screen
    if not screen._prompt.has_focus:
        await pilot.press("i")
    screen._prompt.text = question
    await pilot.press("enter")
    await until(pilot, lambda: not screen.is_answering, seconds=seconds)
    await until(pilot, lambda: screen._pending is None)
    await pilot.app.workers.wait_for_complete()
    await pilot.pause()


async def test_both_answer_the_same_question_and_remember(made, settled, text_of, monkeypatch):
    monkeypatch.setattr(child_module, "IDLE_SECONDS", 60)
    made.run("triage", steps=20)
    app = TemperApp(made.root)
    async with app.run_test(size=(100, 30)) as pilot:
        await settled(pilot)
        await pilot.press("5")
        await settled(pilot)
        screen = app.screen
        assert isinstance(screen, ChatScreen)
        assert screen.names == ("base", "triage-ab12")
        assert "loads with the first question" in text_of(app)
        await pilot.press("i", *"hi", "enter")
        await until(pilot, lambda: screen._talk.turns and screen._talk.turns[0].is_done)
        await ask(pilot, "more 2")
        text = text_of(app)
        assert "the left says hi" in text
        assert "the right says more 2 after 1 turns" in text
        assert "7 tokens" in text and "14/s" in text and "ready" in text
        marked = [screen._talk.turns[1].answers[1].shown.text[a:b]
                  for a, b in screen._talk.turns[1].answers[1].marks]  # fmt: skip
        assert marked == ["right", " after 1 turns"]
        await pilot.press("escape", "u")
        assert screen._prompt.text == "more 2" and len(screen._talk.turns) == 1
        for name, value in (("o", "be brief"), ("oj", "0.5"), ("ojj", "9"), ("ojjj", "33")):
            await pilot.press(*name, "enter")
            await pilot.press(*["end"], *["backspace"] * 4, *value.replace(" ", "_"), "enter")
        await ask(pilot, "settings")
        told = json.loads(screen._talk.turns[-1].answers[0].raw)
        assert told == {"temperature": 0.5, "seed": 9, "max_tokens": 33}
        assert screen._talk.turns[-1].answers[1].raw == "be_brief"
        assert "temperature 0.5 · seed 9 · at most 33 tokens · system: be_brief" in text_of(app)
        await pilot.press("escape", "o", "j", "enter", "home", "9", "enter")
        assert "The temperature can be 0 to 2." in text_of(app)
        await pilot.press("x")
        assert isinstance(app.screen, Confirm)
        await pilot.press("y")
        assert screen._talk.turns == []
        pid = screen._child.pid
    await_gone(pid)


def await_gone(pid):
    """Check that a process ends."""
    with suppress(psutil.NoSuchProcess):
        psutil.Process(pid).wait(10)


async def test_escape_stops_and_what_dies_or_fails_is_said(made, settled, text_of):
    made.run("triage", steps=20)
    app = TemperApp(made.root)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await app.open_chat("20261101-120000-triage-ab12")
        screen = app.screen
        await pilot.press("i", *"slow", "enter")
        await until(pilot, lambda: screen._talk.turns[0].answers[1].raw)
        screen._prompt.text = "two"
        await pilot.press("enter")
        assert "They still answer the last question" in text_of(app)
        await pilot.press("escape")
        await until(pilot, lambda: not screen.is_answering)
        await until(pilot, lambda: screen._pending is None)
        assert text_of(app).count("… stopped") == 2
        await ask(pilot, "fail")
        assert "it is too long. It has 9 tokens. Cut." in text_of(app)
        await ask(pilot, "die")
        await until(pilot, lambda: screen._child is None)
        text = text_of(app)
        assert "process ended (signal 9)" in text and "out of memory" in text
        assert "lost: the process ended" in text and "I was about to" in text
        await ask(pilot, "again")
        assert "the left says again" in text_of(app)
        os.kill(screen._child.pid, signal.SIGTERM)
        await until(pilot, lambda: screen._child is None)
        screen.open_pair("base", "refused")
        await ask(pilot, "who?")
        await until(pilot, lambda: screen._child is None)
        assert "there is no run called 'refused'" in text_of(app)


async def test_hostile_and_endless_answers_without_colours(made, settled, text_of, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    made.run("triage", steps=20)
    app = TemperApp(made.root, theme="ansi-dark")
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("5")
        await settled(pilot)
        await ask(pilot, "hostile")
        text = text_of(app)
        assert "\\x1b[2J[red]x[/red]" in text and "漢字" in text
        assert not set(text) & {"\x1b", "\x00", "\u202e", "\t"}
        await ask(pilot, "long")
        assert "more characters are kept, not shown" in text_of(app)
        assert len(app.screen._talk.turns[-1].answers[1].raw) == 1_000_000
        await pilot.press("escape", "g", "ctrl+d", "G", "tab", "k")
        for size in ((20, 5), (300, 60), (80, 24)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
        await pilot.press("m", "j", "enter", "enter", "n")
        assert app.screen.names == ("base", "triage-ab12")


async def test_pictures(made, settled):
    made.run("triage", steps=20)
    app = TemperApp(made.root)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("5")
        await settled(pilot)
        await ask(pilot, "What is the capital of Norway, and how do I get there by train?")
        await ask(pilot, "slowly, please")
        await pilot.press("escape")
        await check_pictures(pilot, "chat")
