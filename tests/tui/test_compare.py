"""The comparison by keys: chosen from lists, equal things folded, trouble said."""

from __future__ import annotations

import shutil
import threading

import pytest

from tests.tui.pictures import check_pictures
from tests.tui.test_chat import until
from tests.tui.test_comparing import LEFT, RIGHT, two_runs
from tui.app import TemperApp
from tui.screens.compare import CompareScreen
from tui.screens.dialog import Choose
from workspace.errors import UsageError


@pytest.mark.slow
async def test_two_runs_by_keys(made, settled, text_of):
    first, _ = two_runs(made)
    app = TemperApp(made.root)
    async with app.run_test(size=(100, 50)) as pilot:
        await settled(pilot)
        await pilot.press("6")
        await settled(pilot)
        assert isinstance(app.screen, CompareScreen)
        assert "press c and choose" in text_of(app)
        await pilot.press("c", "enter", "j", "enter", "enter")
        await until(pilot, lambda: "train.steps" in text_of(app))
        text = text_of(app)
        assert "temper compare first-ab12 second-ab12" in text
        assert "1 of 4 verdicts differ" in text and "+0.548" in text
        line = next(line for line in text.split("\n") if "train.steps" in line)
        assert line.split() == ["≠", "train.steps", "60", "90"]
        assert "learning_rate" not in text and "step 40" in text
        await pilot.press("space")
        assert "learning_rate" in text_of(app)
        await pilot.press("tab")
        await until(pilot, lambda: "temper compare second-ab12 first-ab12" in text_of(app))
        await until(pilot, lambda: "-0.548" in text_of(app))
        for size in ((20, 5), (300, 60), (80, 24)):
            await pilot.resize_terminal(*size)
            await pilot.press("G", "k", "g", "ctrl+d")
        await app.open_compare(first.name, "20261101-120000-gone-ab12")
        await until(pilot, lambda: "there is no run called 'gone-ab12'" in text_of(app))
        await pilot.press("c", "j", "enter")
        await until(pilot, lambda: "There are not two datasets" in text_of(app))


@pytest.mark.slow
async def test_two_datasets_by_keys(root, text_of):
    name = root / "datasets" / "tickets"
    shutil.copytree(name / (name / "current").readlink(), root / "datasets" / "other" / "0123abcd")
    (root / "datasets" / "other" / "current").symlink_to("0123abcd")
    app = TemperApp(root)
    async with app.run_test(size=(100, 40)) as pilot:
        await pilot.press("6", "c", "j", "enter")
        await until(pilot, lambda: isinstance(app.screen, Choose) and "other" in text_of(app))
        await pilot.press("enter")
        await pilot.pause()
        await pilot.press("enter")
        await until(pilot, lambda: "temper compare" in text_of(app) and "41" in text_of(app))
        assert "tickets" in text_of(app) and "other" in text_of(app)


async def test_hostile_recipes_are_inert(made, settled, text_of):
    (made.root / "a.yaml").write_text(LEFT + 'x: "[red]a[/red]\\u001b[2J 漢字"\n')
    (made.root / "b.yaml").write_text(RIGHT + f"x: {'y' * 100_000}\n")
    (made.root / "c.yaml").write_text("a: [")
    app = TemperApp(made.root)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("6", "c", "j", "j", "enter")
        await app.workers.wait_for_complete()
        await pilot.pause()
        await pilot.press("enter", "enter")
        await until(pilot, lambda: "[red]a[/red]" in text_of(app))
        assert "\x1b" not in text_of(app)
        await app.open_compare("a.yaml", "c.yaml", "recipes")
        await until(pilot, lambda: "YAML" in text_of(app))


async def test_a_slow_comparison_does_not_replace_a_newer_one(made, settled, monkeypatch, text_of):
    began, go_on = threading.Event(), threading.Event()

    def compare(kind, left, right, workspace):
        if left == "slow":
            began.set()
            go_on.wait(20)
        raise UsageError(f"{left} was read")

    monkeypatch.setattr("tui.comparing.compare.compare", compare)
    app = TemperApp(made.root)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await app.open_compare("slow", "other")
        await until(pilot, began.is_set)
        await app.open_compare("quick", "other")
        await until(pilot, lambda: "quick was read" in text_of(app))
        told = []
        monkeypatch.setattr(app.screen._said, "say", told.append)
        monkeypatch.setattr(app.screen._differences, "show", told.append)
        ended = []
        message = app.screen.Compared
        monkeypatch.setattr(
            app.screen, "Compared", lambda *given: ended.append(given) or message(*given)
        )
        go_on.set()
        await until(pilot, lambda: ended)
        await pilot.pause(0.1)
        assert told == []


async def test_pictures(made, settled, text_of):
    first, second = two_runs(made)
    app = TemperApp(made.root)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await app.open_compare(first.name, second.name)
        await until(pilot, lambda: "train.steps" in text_of(app) or "differ" in text_of(app))
        await check_pictures(pilot, "compare")
