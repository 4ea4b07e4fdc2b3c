"""A blind duel by keys: votes on disk, names at the end, and going on after a kill."""

from __future__ import annotations

import json
import sys

import pytest

from tests.tui.pictures import check_pictures
from tests.tui.test_chat import SCRIPT, ask, until
from tui.app import TemperApp
from tui.chat import child as child_module
from tui.duel.record import list_duels
from tui.screens.duel import DuelScreen


@pytest.fixture(autouse=True)
def _scripted(monkeypatch):
    monkeypatch.setattr(
        child_module, "program", lambda arguments: [sys.executable, "-P", str(SCRIPT), *arguments]
    )


async def open_chat(pilot, made, settled):
    made.run("triage", steps=20)
    await settled(pilot)
    await pilot.press("5")
    await settled(pilot)
    return pilot.app.screen


async def begin(pilot, *keys):
    """Choose a duel by keys; return its screen, the first answers shown."""
    await pilot.press("b")
    await pilot.app.workers.wait_for_complete()
    await pilot.pause()
    await pilot.press(*keys)
    await pilot.app.workers.wait_for_complete()
    await until(pilot, lambda: isinstance(pilot.app.screen, DuelScreen))
    return pilot.app.screen


async def vote(pilot, key):
    """Wait for the answers and vote."""
    screen = pilot.app.screen
    await until(pilot, lambda: screen._play.shown)
    await pilot.press(key)
    await pilot.pause()


@pytest.mark.slow
async def test_votes_are_blind_survive_and_end_in_a_result(made, settled, text_of):
    (made.root / "questions.txt").write_text("\n".join(f"question {n}" for n in range(6)))
    app = TemperApp(made.root)
    async with app.run_test(size=(80, 24)) as pilot:
        await open_chat(pilot, made, settled)
        screen = await begin(pilot, "enter", *"questions.txt", "enter")
        await until(pilot, lambda: screen._play.shown)
        text = text_of(app)
        assert "question 0" in text and "0 of 6 votes" in text
        assert "triage" not in text and "base" not in text and "7 tokens" not in text
        duel = list_duels(made.root)[0]
        left = "left" if duel.first_is_left(0) else "right"
        lines = text.split("\n")
        assert f"the {left} says question 0" in next(line for line in lines if "the " in line)
        await vote(pilot, "right_square_bracket")
        await vote(pilot, "plus")
        await vote(pilot, "minus")
        await pilot.press("u")
        await vote(pilot, "left")
        await until(pilot, lambda: screen._play.shown)
        await pilot.press("w")
        assert "First end the duel with e" in text_of(app)
    votes = list_duels(made.root)[0].votes()
    assert [votes[n].choice for n in range(3)] == ["right", "both good", "left"]
    assert votes[0].winner == (1 if duel.first_is_left(0) else 0)

    app = TemperApp(made.root)
    async with app.run_test(size=(80, 24)) as pilot:
        await open_chat_again(pilot, settled)
        screen = await begin(pilot, "enter")
        assert "3 of 6 votes" in text_of(app)
        await vote(pilot, "0")
        await vote(pilot, "left")
        await vote(pilot, "left")
        await until(pilot, lambda: "Wilson" in text_of(app))
        text = text_of(app)
        assert "Wilson score interval" in text and "triage-ab12" in text
        assert f"temper duel show {duel.id}" in text
        await pilot.press("u")
        assert "would no longer be blind" in text_of(app)
        out = made.root / "out.jsonl"
        await pilot.press("w", "j", "enter", "home", "ctrl+k", *str(out), "enter")
        await app.workers.wait_for_complete()
        await settled(pilot)
        rows = [json.loads(line) for line in out.read_text().splitlines()]
        assert len(rows) == 4
        assert {*rows[0]} == {"prompt", "chosen", "rejected"}
        assert rows[0]["chosen"][0]["content"] == votes[0].answers[votes[0].winner]
        await pilot.press("escape")
        await ask(pilot, "still here")
        assert "the left says still here" in text_of(app)


async def open_chat_again(pilot, settled):
    await settled(pilot)
    await pilot.press("5")
    await settled(pilot)


@pytest.mark.slow
async def test_prompts_that_are_typed_that_fail_and_that_kill(made, settled, text_of):
    app = TemperApp(made.root)
    async with app.run_test(size=(80, 24)) as pilot:
        chat = await open_chat(pilot, made, settled)
        await pilot.press("b")
        await app.workers.wait_for_complete()
        await pilot.press("enter", *"gone.txt", "enter")
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert "there is no such file" in text_of(app)
        screen = await begin(pilot, "G", "end", "enter")
        for prompt in ("hi", "fail", "die"):
            await pilot.press("i", *prompt, "enter")
        await vote(pilot, "equals_sign")
        await until(pilot, lambda: "it is too long" in text_of(app))
        await pilot.press("right")
        assert len(screen._play.votes) == 1
        await pilot.press("0")
        await until(pilot, lambda: screen._child is None)
        await until(pilot, lambda: "process ended" in text_of(app))
        assert [one.choice for one in screen._play.votes.values()] == ["both good", "skip"]
        await pilot.press("0", "e")
        await until(pilot, lambda: "No vote prefers one of them" in text_of(app))
        await pilot.press("escape")
        assert app.screen is chat


@pytest.mark.slow
async def test_a_turn_is_saved_as_a_pair_a_row_and_an_item(made, settled, text_of):
    app = TemperApp(made.root)
    async with app.run_test(size=(80, 24)) as pilot:
        chat = await open_chat(pilot, made, settled)
        await pilot.press("w")
        assert "no answered question" in text_of(app)
        await ask(pilot, "one")
        await ask(pilot, "two")
        for keys in (["j"], ["j", "j"], ["j"] * 5):
            await pilot.press("escape", "w", *keys, "enter", "enter")
            await app.workers.wait_for_complete()
            await pilot.pause()
        left, right = chat._talk.turns[-1].answers
        (pair,) = map(json.loads, (made.root / "rows/pairs.jsonl").read_text().splitlines())
        assert pair["chosen"][0]["content"] == right.raw
        assert pair["rejected"][0]["content"] == left.raw
        assert [turn["content"] for turn in pair["prompt"]][::2] == ["one", "two"]
        (row,) = map(json.loads, (made.root / "rows/chosen.jsonl").read_text().splitlines())
        assert row["messages"][-1]["content"] == left.raw
        assert (made.root / "suites/asked.yaml").is_file()
        await ask(pilot, "\\")
        await pilot.press("escape", "w", "enter", "end", *["backspace"] * 5, "enter")
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert "End the name with .jsonl" in text_of(app)


@pytest.mark.slow
async def test_pictures(made, settled, monkeypatch):
    (made.root / "questions.txt").write_text("What is the capital of Norway?\nAnd of Peru?\n")
    monkeypatch.setattr("tui.duel.record.new_id", lambda name: f"20261121-120000-{name}-ab12")
    monkeypatch.setattr("random.SystemRandom.randrange", lambda *_: 3)
    app = TemperApp(made.root)
    async with app.run_test(size=(80, 24)) as pilot:
        await open_chat(pilot, made, settled)
        screen = await begin(pilot, "enter", *"questions.txt", "enter")
        await until(pilot, lambda: screen._play.shown and screen._play.asked is None)
        await check_pictures(pilot, "duel")
        await vote(pilot, "left")
        await vote(pilot, "right")
        await until(pilot, lambda: screen._result._parts)
        await check_pictures(pilot, "duel-result")
