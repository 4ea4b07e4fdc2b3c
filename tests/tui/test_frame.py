"""What every screen stands on: dialogs, commands, and modes."""

from __future__ import annotations

import pytest

from tui.actions import ACTIONS
from tui.actions.common import MOVES
from tui.app import TemperApp
from tui.modes import MODES
from tui.screens.dialog import Ask, Choose, Confirm, Notice
from tui.screens.help import sections
from tui.temper import Outcome, run_temper, typed


async def test_dialogs_answer_and_hostile_text_is_inert(made, settled, text_of):
    app = TemperApp(made.root)
    answers = []
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        app.push_screen(Ask("A name [red]x[/red]\x1b[2J?", "old"), answers.append)
        await pilot.pause()
        assert "A name [red]x[/red]" in text_of(app)
        assert "\x1b" not in text_of(app)
        await pilot.press("end", "q", "enter")
        app.push_screen(Choose("Which [b]?", ["[one", "two", "three"]), answers.append)
        await pilot.pause()
        await pilot.press("j", "j", "k", "enter")
        for key in ("y", "n", "escape"):
            app.push_screen(Confirm("Drop it?", "The row is gone."), answers.append)
            await pilot.pause()
            await pilot.press(key)
        app.push_screen(Notice("It failed", "because [x"), answers.append)
        await pilot.pause()
        await pilot.press("enter")
    assert answers == ["oldq", 1, True, None, None, None]


async def test_a_command_that_fails_is_told_in_a_box(made, settled, text_of):
    app = TemperApp(made.root)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        app.run_temper(["logs", "none-such"])
        await app.workers.wait_for_complete()
        await settled(pilot)
        assert isinstance(app.screen, Notice)
        assert "temper logs none-such  (exit code 2)" in text_of(app)


async def test_what_a_command_gives_comes_back(made, settled):
    app = TemperApp(made.root)
    found: list[Outcome] = []
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        app.run_temper(["jobs", "--json"], found.append)
        await app.workers.wait_for_complete()
        await pilot.pause()
    assert [one.code for one in found] == [0]
    assert found[0].command == "temper jobs --json"


def test_a_command_is_shown_as_it_can_be_typed(tmp_path):
    assert typed(["train", "my recipe.yaml"]) == "temper train 'my recipe.yaml'"
    outcome = run_temper(["--version"], tmp_path)
    assert (outcome.code, outcome.output[:12]) == (0, "welltempered")


@pytest.mark.parametrize("scope", ["app", "home", "run", "help", "train", "train-yaml", "proofs"])
def test_no_key_means_two_things_on_one_screen(scope):
    seen: dict[str, str] = {}
    for action in ACTIONS:
        if scope in action.scopes or "app" in action.scopes:
            for key in action.keys:
                assert seen.setdefault(key, action.action) == action.action


async def test_every_mode_leads_to_every_other(made, settled):
    app = TemperApp(made.root)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        keys = [mode.key for mode in MODES]
        for key in [*keys, *reversed(keys)]:
            await pilot.press(key)
            await pilot.pause()
            assert app.current_mode == next(mode.name for mode in MODES if mode.key == key)


def test_the_help_tells_what_a_screen_does_before_how_to_move_in_it():
    for scope in ("home", "data", "train", "eval"):
        (title, here), (everywhere, _), *_ = sections(scope)
        assert (title, everywhere) == ("On this screen", "Everywhere")
        moves = [action in MOVES for action in here]
        assert moves == sorted(moves) and any(moves) and not moves[0]
