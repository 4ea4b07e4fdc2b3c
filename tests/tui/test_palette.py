"""The line of modes, the help and the command palette: all made from the one registry."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from textual.fuzzy import FuzzySearch

from tests.tui.pictures import check_pictures
from tui import disk, figures
from tui.actions import HELPED
from tui.app import TemperApp
from tui.glyphs import UNICODE
from tui.keymap import REGISTRY_KEYS
from tui.palette import MOST, Entry, matching, of_actions, of_datasets
from tui.screens.help import page, sections
from tui.screens.palette import Palette


async def test_letters_lead_to_a_command_and_to_a_run(made, settled, text_of):
    for day, name in enumerate(("alpha", "beta", "[red]gamma[/red]\x1b[2J".replace("/", "")), 1):
        made.run(name, steps=5, day=day)
    app = TemperApp(made.root)
    async with app.run_test(size=(80, 90)) as pilot:
        await settled(pilot)
        await pilot.press("ctrl+p")
        await pilot.pause()
        shown = text_of(app)
        assert "Open what is selected." in shown and "One line down" not in shown
        before = app.theme
        await pilot.press(*"theme", "enter")
        await pilot.pause()
        assert app.theme != before and not isinstance(app.screen, Palette)

        await pilot.press("ctrl+p", *"rnbeta")
        await pilot.pause()
        assert "go to run 20261102-120000-beta-ab12" in text_of(app)
        await pilot.press("enter")
        await settled(pilot)
        assert "20261102-120000-beta-ab12" in text_of(app) and len(app.screen_stack) == 2

        await pilot.press("ctrl+p", *"gamma")
        await pilot.pause()
        assert "[red]gamma" in text_of(app) and "\x1b" not in text_of(app)
        await pilot.press(*"zzzzz")
        await pilot.pause()
        assert "Nothing is called so." in text_of(app)
        await pilot.press("enter", "escape")
        assert not isinstance(app.screen, Palette)
        await pilot.resize_terminal(20, 5)
        await pilot.press("ctrl+p", "down", "up", "pagedown", "q", "u", "i", "t", "enter")
        await pilot.pause()
    assert app.return_code == 0


@pytest.mark.slow
async def test_pictures_of_palette_and_help(made, settled, monkeypatch):
    monkeypatch.setattr(Path, "home", lambda: made.root.parent)
    monkeypatch.setattr(figures.time, "localtime", lambda *_: time.gmtime(1_700_000_000))
    room = SimpleNamespace(free=412 << 30, total=1000 << 30)
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda _: room)
    made.run("first", steps=5)
    app = TemperApp(made.root)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("question_mark")
        await check_pictures(pilot, "help")
        await pilot.press("question_mark", "ctrl+p")
        await check_pictures(pilot, "palette")


async def test_the_line_of_modes_stands_above_every_screen_and_can_be_clicked(
    made, settled, text_of
):
    made.run("first", steps=5)
    app = TemperApp(made.root)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        for keys in ((), ("enter",)):
            await pilot.press(*keys)
            await pilot.pause()
            assert text_of(app).splitlines()[0].startswith("▌1 home ")
        app.action_mode = lambda name: clicked.append(name)  # type: ignore[assignment]
        clicked: list[str] = []
        await pilot.click("#tabs", offset=(3, 0))
        await pilot.pause()
        assert clicked == ["home"]


def test_the_help_tells_every_action_once_and_those_of_this_screen_first():
    titles = [title for title, _ in sections("run")]
    assert titles[:2] == ["On this screen", "Everywhere"]
    assert "On the screen home" in titles and "On the screen run" not in titles
    told = [action for _, actions in sections("run") for action in actions]
    assert len(told) == len(set(told)) and set(told) == set(HELPED)
    text = ["".join(part for part, _ in line) for line in page("home", REGISTRY_KEYS, UNICODE, 60)]
    assert all(len(line) <= 60 for line in text)


def test_the_nearest_comes_first_and_a_hundred_thousand_are_found_quickly():
    entries = of_actions("home", REGISTRY_KEYS)
    assert matching(entries, "quit")[0].value == "app.quit"
    assert [entry.value for entry in matching(entries, "colours")][:1] == ["app.theme"]
    many = [Entry("run", str(n), f"go to run 2026-{n:06}") for n in range(10_000)]
    assert len(matching(many, "")) == len(matching(many, "run")) == MOST
    assert matching(many, "009999")[0].value == "9999"


def test_a_letter_is_held_against_a_bounded_number_of_entries(monkeypatch):
    held: list[str] = []
    match = FuzzySearch.match

    def counted(search: FuzzySearch, query: str, candidate: str):
        held.append(candidate)
        return match(search, query, candidate)

    monkeypatch.setattr(FuzzySearch, "match", counted)
    entries = of_actions("home", REGISTRY_KEYS)
    runs = [Entry("run", f"{n}", f"go to run {n:05}-alpha", "finished") for n in range(10_000)]
    for typed in ("r", "run", "r0a", "quit", "finished"):
        held.clear()
        found = matching([*entries, *runs], typed)
        assert found and len(held) <= 2000
    assert matching([*entries, *runs], "quit")[0].value == "app.quit"
    assert [one.value for one in matching(runs, "09999")] == ["9999"]
    assert matching(runs, "0.9") == []


def test_datasets_are_read_from_the_directories(tmp_path):
    assert of_datasets(tmp_path) == []
    for name in ("b", "a", ".hidden", "\x1b[31mred"):
        (tmp_path / "datasets" / name).mkdir(parents=True)
    (tmp_path / "datasets" / "file").touch()
    found = of_datasets(tmp_path)
    assert [entry.value for entry in found] == ["\x1b[31mred", "a", "b"]
    assert "\x1b" not in found[0].title


@pytest.mark.slow
def test_pictures_for_the_documentation_are_drawn_by_the_app(tmp_path):
    script = Path(__file__).parents[2] / "docs" / "screenshot.py"
    done = subprocess.run(
        [sys.executable, "-P", str(script), "--only", "palette", "--out", str(tmp_path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    drawn = (tmp_path / "palette.svg").read_text()
    shown = drawn.replace("&#160;", " ")
    assert "go to run 20" in shown and "naive-" in shown and "~/project" in shown
