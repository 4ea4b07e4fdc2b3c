import re
import shutil

import pytest

from tui import glyphs
from tui.actions import HELPED
from tui.app import TemperApp
from tui.screens.help import HelpScreen
from tui.screens.home import HomeScreen
from tui.screens.run import RunScreen
from tui.widgets.details import next_command
from tui.widgets.runs import RunTable

SIZES = [(80, 24), (160, 48), (20, 5), (40, 12), (1, 1), (110, 20)]
ASCII_SIZES = [(80, 24), (160, 48), (20, 5)]


def fill(made):
    run = made.run("tempered", steps=200, day=3)
    made.evaluation(run, "pass", day=9)
    made.evaluation(made.run("naive", steps=60, max_steps=60, day=2), "fail", day=8)
    made.run("stopped-one", state="stopped", steps=88, day=1)
    (made.run("torn", day=4) / "run.json").write_text("{")
    return made.run("live", state="running", steps=100, day=5)


async def test_the_first_screen_lists_runs_with_state_step_and_verdict(made, settled, text_of):
    fill(made)
    app = TemperApp(made.root)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        text = text_of(app)
        assert re.search(r"● live-ab12 +running +100/200 +50s", text)
        assert re.search(r"✓ tempered-ab12 +finished +200/200 .* ✓ pass", text)
        assert re.search(r"✓ naive-ab12 +finished +60/60 .* ✗ fail", text)
        assert re.search(r"■ stopped-one-ab12 +stopped +88/200", text)
        assert re.search(r"▲ torn-ab12 +broken", text)
        assert "5 runs" in text
        assert "loss" in text
        assert "q quit" in text


@pytest.mark.parametrize(
    ("size", "glyph_set"),
    [
        *(pytest.param(size, glyphs.UNICODE, id=f"unicode-{size}") for size in SIZES),
        *(
            pytest.param(size, glyphs.ASCII, id=f"ascii-{size}", marks=pytest.mark.slow)
            for size in ASCII_SIZES
        ),
    ],
)
async def test_every_size_works(made, settled, text_of, size, glyph_set):
    fill(made)
    app = TemperApp(made.root, glyph_set=glyph_set)
    async with app.run_test(size=size) as pilot:
        await settled(pilot)
        for key in ("j", "G", "enter", "j", "escape", "question_mark", "escape"):
            await pilot.press(key)
            lines = text_of(app).split("\n")
            assert len(lines) == size[1]
            if glyph_set is glyphs.ASCII:
                assert text_of(app).isascii()
        assert isinstance(app.screen, HomeScreen)


async def test_a_resize_is_followed(made, settled, text_of):
    fill(made)
    app = TemperApp(made.root)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        for size in ((160, 48), (20, 5), (80, 24)):
            await pilot.resize_terminal(*size)
            await settled(pilot)
            assert "live" in text_of(app)


async def test_a_new_step_is_shown_while_it_is_open(made, settled, text_of):
    run = made.run("live", state="running", steps=100)
    app = TemperApp(made.root)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        made.train(run, [101])
        await settled(pilot)
        assert "101/200" in text_of(app)
        made.job(made.job_of(run), state="finished", result=f"runs/{run.name}")
        await settled(pilot)
        assert "finished" in text_of(app)
        assert "temper eval live-ab12" in text_of(app)


async def test_a_new_run_appears_without_moving_the_cursor(made, settled, text_of):
    made.run("first", steps=5)
    app = TemperApp(made.root)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        made.run("second", state="running", steps=5, day=2)
        await settled(pilot)
        table = app.screen.query_one(RunTable)
        assert table.selected is not None
        assert table.selected.label == "first-ab12"
        assert "second-ab12" in text_of(app)


async def test_a_run_deleted_under_the_cursor_is_no_crash(made, settled, text_of):
    run = made.run("first", steps=5)
    made.run("second", steps=5, day=2)
    app = TemperApp(made.root)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("j")
        shutil.rmtree(run)
        await settled(pilot)
        assert "first-ab12" not in text_of(app)
        shutil.rmtree(made.root)
        await settled(pilot)
        assert "Nothing is here yet" in text_of(app)


async def test_an_empty_workspace_says_what_to_do_first(made, settled, text_of):
    app = TemperApp(made.root)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        assert "Nothing is here yet" in text_of(app)
        assert "temper demo" in text_of(app)
        assert "temper init" in text_of(app)
        made.recipe()
        made.dataset("triage")
        await settled(pilot)
        assert "temper train --detach" in text_of(app)
        await pilot.press("j", "enter", "G")
        made.run("first", steps=5)
        await settled(pilot)
        assert "first-ab12" in text_of(app)


async def test_arrows_and_letters_move_the_cursor(made, settled):
    for day in range(1, 29):
        made.run("r", day=day)
    app = TemperApp(made.root)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        table = app.screen.query_one(RunTable)

        def selected() -> int:
            assert table.selected is not None
            return 28 - int(table.selected.id[6:8])

        for keys, expected in [
            (["j", "down"], 2),
            (["k", "up"], 0),
            (["k"], 0),
            (["G"], 27),
            (["j"], 27),
            (["g"], 0),
            (["end"], 27),
            (["home"], 0),
        ]:
            await pilot.press(*keys)
            assert selected() == expected
        await pilot.press("pagedown")
        assert 3 <= selected() <= 12
        await pilot.press("ctrl+u")
        assert selected() == 0


@pytest.mark.slow
async def test_the_mouse_does_what_the_keys_do(made, settled, text_of):
    fill(made)
    app = TemperApp(made.root)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        table = app.screen.query_one(RunTable)
        await pilot.click(RunTable, offset=(5, 3))
        assert table.selected is app.snapshot.runs[2]
        await pilot.click(RunTable, offset=(5, 3))
        assert isinstance(app.screen, RunScreen)
        await settled(pilot)
        await pilot.click("#hints", offset=(3, 0))
        await settled(pilot)
        assert isinstance(app.screen, HomeScreen)
        place = text_of(app).split("\n")[-1].index("help")
        await pilot.click("#hints", offset=(place, 0))
        assert isinstance(app.screen, HelpScreen)


@pytest.mark.slow
async def test_q_leaves_from_every_screen(made, settled):
    fill(made)
    for keys in ([], ["enter"], ["question_mark"], ["enter", "question_mark"]):
        app = TemperApp(made.root)
        async with app.run_test(size=(80, 24)) as pilot:
            await settled(pilot)
            await pilot.press(*keys, "q")
        assert app.return_code == 0
        assert not app.is_running


async def test_help_shows_every_key_and_closes_again(made, settled, text_of):
    app = TemperApp(made.root)
    async with app.run_test(size=(100, 400)) as pilot:
        await settled(pilot)
        for close in ("question_mark", "escape"):
            await pilot.press("question_mark")
            text = text_of(app)
            for action in HELPED:
                assert action.help in text
            assert "lost" in text
            await pilot.press(close)
            assert isinstance(app.screen, HomeScreen)


async def test_every_action_exists_and_every_key_is_in_the_registry(made, settled):
    made.run("x", steps=3)
    app = TemperApp(made.root)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        screens = {"app": app, "home": app.screen}
        await pilot.press("enter")
        screens["run"] = app.screen
        await pilot.press("question_mark")
        screens["help"] = app.screen
        await pilot.press("escape", "escape", "7")
        screens["doctor"] = app.screen
        for action in HELPED:
            for scope in screens.keys() & set(action.scopes):
                name = action.action.partition("(")[0]
                assert hasattr(screens[scope], f"action_{name}"), (scope, action)
        known = {key for action in HELPED for key in action.keys}
        for screen in (screens["home"], screens["run"], screens["help"]):
            own = {
                key
                for cls in type(screen).__mro__
                if cls.__module__.startswith("tui.")
                for binding in cls.__dict__.get("BINDINGS", [])
                for key in binding.key.split(",")
            }
            assert own <= known


async def test_the_theme_key_goes_through_all_themes(made, settled, text_of):
    fill(made)
    app = TemperApp(made.root)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        seen = []
        for _ in range(4):
            seen.append(app.theme)
            await pilot.press("t")
            assert "live-ab12" in text_of(app)
        assert seen == ["temper-dark", "temper-light", "ansi-dark", "ansi-light"]
        assert app.theme == "temper-dark"


async def test_the_command_that_goes_on_is_shown(made):
    from tui.reader import Reader

    fill(made)
    made.run("queued-one", state="queued", day=6)
    commands = {row.label: next_command(row) for row in Reader(made.root).poll().runs}
    assert commands == {
        "live-ab12": "temper logs train-live",
        "queued-one-ab12": "temper logs train-queued-one",
        "torn-ab12": "",
        "tempered-ab12": "temper report eval-cd34",
        "naive-ab12": "temper report eval-cd34",
        "stopped-one-ab12": "temper resume stopped-one-ab12",
    }
