"""Judging pairs: what is decided follows the last judgement."""

from __future__ import annotations

from curate.judging import NearPair
from tui.app import TemperApp
from tui.screens.pairs import PairsScreen
from tui.temper import Outcome


async def test_another_mind_takes_the_decision_back(made, monkeypatch):
    app = TemperApp(made.root)
    sent: list[str] = []

    def run_temper(arguments, then):
        sent.append(" ".join(arguments[1:3]))
        then(Outcome(tuple(arguments), 0, "", ""))

    monkeypatch.setattr(app, "run_temper", run_temper)
    monkeypatch.setattr(PairsScreen, "action_refresh", lambda screen: None)
    screen = PairsScreen(app.glyphs, made.root, made.root / "datasets/a/1", "a", "near_duplicates")
    async with app.run_test(size=(80, 24)) as pilot:
        await app.push_screen(screen)
        screen._pairs = [
            NearPair("gone", "one", 0.9, True, "a", "b"),
            NearPair("kept", "two", 0.7, False, "a", "b"),
        ]
        await pilot.press("a", "K", "x")
        assert sent == ["restore gone", "undecide gone"]
        await pilot.press("x", "a")
        assert sent[2:] == ["drop kept", "undecide kept"]
        await pilot.press("u", "u", "u", "u")
        assert sent[4:] == ["drop kept", "undecide kept", "restore gone", "undecide gone"]
        assert screen._judged == {}
