"""The Train screen on real recipes, driven by keys."""

from __future__ import annotations

import json
import random

import pytest
from textual.widgets import OptionList

from tests.tui.keys import changed, find, type_value, understood, until
from tests.tui.pictures import check_pictures
from tui.actions import ACTIONS
from tui.app import TemperApp
from tui.form.desk import Desk, _recipe_reader
from tui.form.estimate import Cost, Estimate
from tui.screens.dialog import Choose, Confirm, Notice
from tui.screens.home import HomeScreen
from tui.screens.proofs import ProofsScreen
from tui.screens.run import RunScreen
from tui.screens.train import TrainScreen
from tui.temper import Outcome, run_temper
from tui.widgets.recipe_text import RecipeText

RECIPE = """\
# what it is for
name: mine
model: {path: builtin}
train:
  method: sft                  # the loss is on the answers
  adapter: {kind: full}
  learning_rate: 2e-4          # gentle
  epochs: 8
"""


@pytest.fixture
def recipe(made):
    """Return a recipe on disk; what reads recipes is made before an app waits for it."""
    _recipe_reader()
    path = made.root / "temper.yaml"
    path.write_text(RECIPE)
    return path


@pytest.fixture
def quick(monkeypatch):
    """Leave out the estimates, which have tests of their own: each is a process."""
    monkeypatch.setattr(Desk, "estimate", lambda *_: ((), "not asked"))


async def test_a_recipe_is_changed_by_form_and_yaml(made, recipe, settled, text_of, quick):
    app = TemperApp(made.root)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("3")
        await until(pilot, lambda: isinstance(app.screen, TrainScreen) and understood(app))
        assert "temper.yaml · mine" in text_of(app) and "saved" in text_of(app)

        # a number, by the form: only its characters change
        await find(pilot, "learning_rate")
        assert "Highest rate of the schedule" in text_of(app)
        await type_value(pilot, "1e-4")
        assert app.screen.draft.text == RECIPE.replace("2e-4", "1e-4")
        assert "not saved" in text_of(app) and "--set" in text_of(app)
        assert "temper train temper.yaml --set train.learning_rate=0.0001 --detach" in text_of(app)

        # a wrong one: the words of `temper check`, in place; nothing can be started
        await type_value(pilot, "7")
        assert "line 7: train.learning_rate: found 7; expected less than 1." in text_of(app)
        assert "1 problem" in text_of(app) and "cannot start" in text_of(app)
        await pilot.press("u")
        await until(pilot, lambda: "=0.0001" in app.screen.start_command()[0])
        assert "1 problem" not in text_of(app)

        # a kind: its fields follow
        await find(pilot, "adapter.kind")
        before = app.screen.draft.text
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.focused, OptionList))
        assert isinstance(app.screen, Choose)
        await pilot.press("j", "enter")
        await until(pilot, lambda: changed(app, before))
        assert "adapter: {kind: lora}" in app.screen.draft.text
        await find(pilot, "adapter.r")
        assert "Rank: more learns" in text_of(app)

        # the YAML, and back
        await pilot.press("tab")
        await pilot.pause()
        assert "adapter: {kind: lora}" in text_of(app)
        await pilot.press("pagedown", "pagedown", "end", *"  steps: x")
        await until(pilot, lambda: "train.steps: found 'x'" in text_of(app))
        await pilot.press("backspace", "4")
        await pilot.press("escape")
        await until(pilot, lambda: understood(app))
        assert app.screen.draft.text.endswith("  steps: 4")
        why = "cannot start: line 4: train: expected either steps or epochs, not both"
        assert why in text_of(app) and "1 problem" in text_of(app)
        await find(pilot, "epochs")
        before = app.screen.draft.text
        await pilot.press("x")
        await until(pilot, lambda: changed(app, before))
        assert not app.screen.state.faults
        assert "train.epochs=null" in app.screen.start_command()[0]

        # saved as it is on the screen
        await pilot.press("ctrl+s")
        await until(pilot, lambda: not app.screen.draft.is_changed)
        text = recipe.read_text()
        assert text == app.screen.draft.text
        assert "# gentle" in text and "# what it is for" in text and "epochs" not in text
        await until(pilot, lambda: understood(app))
        assert app.screen.copy_text() == "temper train temper.yaml --detach"
        assert [path.name for path in made.root.iterdir() if "tmp" in path.name] == []


async def test_a_file_changed_by_somebody_else_is_not_lost(made, recipe, settled, text_of, quick):
    app = TemperApp(made.root)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("3")
        await until(pilot, lambda: isinstance(app.screen, TrainScreen) and understood(app))
        # without changes here, the screen follows the file
        recipe.write_text(RECIPE.replace("epochs: 8", "epochs: 5"))
        await pilot.press("r")
        await until(pilot, lambda: "epochs: 5" in app.screen.draft.text and understood(app))
        # with changes, saving shows the difference and asks
        await find(pilot, "epochs")
        await type_value(pilot, "3")
        recipe.write_text(RECIPE.replace("epochs: 8", "epochs: 6"))
        await pilot.press("w")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        assert "-  epochs: 6" in text_of(app) and "+  epochs: 3" in text_of(app)
        await pilot.press("n")
        await pilot.pause()
        assert "epochs: 6" in recipe.read_text()
        assert "changed on disk" in text_of(app)
        await pilot.press("S")
        await pilot.pause()
        assert not list(made.workspace.jobs.glob("*"))
        await pilot.press("w")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("y")
        await until(pilot, lambda: not app.screen.draft.is_changed)
        assert "epochs: 3" in recipe.read_text()
        recipe.unlink()
        await pilot.press("r")
        await until(pilot, lambda: "changed on disk" in text_of(app))


async def test_its_runs_are_stopped_resumed_and_queued_by_keys(
    made, recipe, settled, text_of, quick, monkeypatch
):
    """The commands alone: here a job that runs is this very process."""
    ran: list[str] = []
    waiting = {"waiting": [{"job": "a"}, {"job": "b"}], "running": []}

    def answer(arguments, directory, **_):
        ran.append(" ".join(arguments))
        return Outcome(tuple(arguments), 0, json.dumps(waiting), "")

    run = made.run("mine", state="running", steps=5)
    stopped = made.run("mine", state="stopped", steps=5, day=2)
    app = TemperApp(made.root)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        monkeypatch.setattr("tui.temper.run_temper", answer)
        await pilot.press("3")
        await until(pilot, lambda: isinstance(app.screen, TrainScreen) and understood(app))
        await pilot.press("X")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        assert "It saves a checkpoint" in text_of(app) and "temper resume mine-ab12" in text_of(app)
        await pilot.press("y")
        await until(pilot, lambda: ran == [f"stop {made.job_of(run).name}"])
        await pilot.press("Q")
        await until(pilot, lambda: isinstance(app.screen, Choose))
        await pilot.press("j", "enter")
        await until(pilot, lambda: ran[1:] == ["queue --json", "queue first b"])
        await until(pilot, lambda: isinstance(app.screen, TrainScreen))
        await pilot.press("R")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        assert ran[3] == f"resume {stopped.name} --detach"


BROKEN = [
    (None, "no such file"),
    (b"\xff\xfe\x00", "not UTF-8"),
    (b"train: [\n", "1 problem"),
    (b"name: a\nname: b\n", "this key twice"),
    (b"trian: {}\nmodel: {path: builtin, x: 1}\n", "unknown key"),
    (b"- a\n", "mapping of keys"),
    (b"name: a\x1b[2J\n", "control characters"),
    ("train: {dataset: '\u202eevil [red]x[/red] \U0001f600'}\n".encode(), "[red]x"),
    (b"", "temper.yaml · temper"),
]


async def test_changes_are_not_lost_by_leaving(made, recipe, settled, text_of, quick):
    app = TemperApp(made.root)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("3")
        await until(pilot, lambda: isinstance(app.screen, TrainScreen) and understood(app))
        screen = app.screen
        changed = RECIPE.replace("epochs: 8", "epochs: 5")
        screen.change(changed)
        draft = screen.draft
        await app.open_recipe(recipe)
        await until(pilot, lambda: understood(app))
        assert screen.draft is draft
        assert draft.text == changed
        await pilot.press("q")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        assert "temper.yaml: its changes are not saved" in text_of(app)
        await pilot.press("n")
        await until(pilot, lambda: app.screen is screen)
        assert draft.undo()
        await pilot.press("q")
        await until(pilot, lambda: not app.is_running)


@pytest.mark.slow
async def test_broken_files_are_shown(made, recipe, settled, text_of, quick):
    app = TemperApp(made.root)
    recipe.unlink()
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("3")
        for text, expected in BROKEN:
            if text is not None:
                recipe.write_bytes(text)
                await pilot.press("r")
            await pilot.press("tab")
            await until(pilot, lambda expected=expected: expected in text_of(app))
            await pilot.press("escape", "j", "enter", "escape", "e")
            await pilot.pause()
            assert "\x1b" not in text_of(app) and "\u202e" not in text_of(app)


PLAN = Estimate(
    steps=240, batch_size=32, rows_kept=960, rows_lost=3, tokens_seen=391_000,
    tokens_trained=88_200, padding_share=0.08, max_length=1024, way="full",
    lengths=(("50%", 39), ("75%", 47), ("90%", 120), ("99%", 410), ("100%", 980)),
    costs=(
        Cost("RTX 4090", True, True, False, 2**31, 24 * 2**30, (0.2, 0.5), (0.1, 0.2)),
        Cost("T4", False, False, False, 2**35, 15 * 2**30, None, None),
    ),
    warnings=("3 rows are longer than max_length and dropped",),
    reasons={"train.micro_batch_size": ("8", "least padding and fewest starts")},
)  # fmt: skip


@pytest.mark.slow
async def test_it_looks_as_it_should(made, recipe, settled, text_of, monkeypatch):
    """Also with the run that it was last used for, and what is another since."""
    from workspace.recipe import load_recipe

    # What a plan answers depends on the GPUs of the machine.
    monkeypatch.setattr(Desk, "estimate", lambda *_: ((PLAN,), ""))
    run = made.run("mine", steps=200)
    sections = _recipe_reader()._sections
    (run / "recipe.yaml").write_text(load_recipe(recipe, sections).to_yaml())
    recipe.write_text(RECIPE.replace("epochs: 8", "epochs: 3"))
    app = TemperApp(made.root)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        assert isinstance(app.screen, HomeScreen)
        await pilot.press("e")
        await until(
            pilot,
            lambda: (
                isinstance(app.screen, TrainScreen)
                and app.screen.state.estimates
                and app.screen.state.changes
            ),
        )
        assert "mine-ab12: 1 value differs" in text_of(app)
        assert "train.epochs  8.0 → 3.0" in text_of(app)
        await check_pictures(pilot, "train")
        for size in ((20, 5), (300, 60), (40, 12), (1, 1)):
            await pilot.resize_terminal(*size)
            await pilot.press("j", "tab", "escape")
            assert len(text_of(app).split("\n")) == size[1]
        await pilot.resize_terminal(80, 24)
        await pilot.press("c")
        await until(pilot, lambda: isinstance(app.screen, ProofsScreen))
        await until(pilot, lambda: app.screen._proofs.checks and app.screen._proofs.mask_trouble)
        assert "builtin, digest" in text_of(app)
        assert "temper check temper.yaml" in text_of(app)
        await pilot.press("space")
        await pilot.pause()
        assert isinstance(app.screen, Notice)
        await pilot.press("escape", "escape")
        await pilot.pause()
        assert isinstance(app.screen, TrainScreen)


def test_every_key_does_something():
    screens = {"train": TrainScreen, "train-yaml": RecipeText, "proofs": ProofsScreen}
    for action in ACTIONS:
        for scope in screens.keys() & set(action.scopes):
            assert hasattr(screens[scope], f"action_{action.action.partition('(')[0]}"), action


@pytest.mark.slow
async def test_a_whole_job_by_keys(made, settled, text_of):
    """Raw rows on disk; then, by keys: open, change, see the estimate change, save, start, see."""
    rows = [{"instruction": f"{word} {word[::-1]}", "output": word} for word in words(90)]
    (made.root / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    made_of = ["--data", "rows.jsonl", "--task", "classify", "--name", "mine"]
    for arguments in (["init", ".", *made_of], ["curate"]):
        assert run_temper(arguments, made.root).code == 0
    recipe = made.root / "temper.yaml"
    text = recipe.read_text().split("  tempering:")[0]
    recipe.write_text(text)
    app = TemperApp(made.root)
    async with app.run_test(size=(160, 48)) as pilot:
        await settled(pilot)
        await pilot.press("3")
        await until(pilot, lambda: isinstance(app.screen, TrainScreen) and understood(app))
        screen = app.screen
        assert isinstance(screen, TrainScreen)
        await until(pilot, lambda: screen.state.estimates and not screen.state.is_stale)
        before = screen.state.estimates[0].steps
        assert f"{before:,} of 32 rows" in text_of(app)
        await find(pilot, "train.epochs")
        before_text = screen.draft.text
        await pilot.press("x")
        await until(pilot, lambda: changed(app, before_text))
        await find(pilot, "train.steps")
        await type_value(pilot, "3")
        await find(pilot, "batch_size")
        await type_value(pilot, "8")
        await find(pilot, "learning_rate")
        await type_value(pilot, "1e-3")
        await until(pilot, lambda: understood(app) and not screen.state.is_stale)
        assert screen.state.estimates[0].steps == 3
        assert "3 of 8 rows" in text_of(app)
        await pilot.press("w")
        await until(pilot, lambda: not screen.draft.is_changed)
        assert recipe.read_text() == screen.draft.text
        await until(pilot, lambda: screen.start_command()[1])
        assert "temper train temper.yaml --detach" in text_of(app)
        await pilot.press("S")
        await until(pilot, lambda: isinstance(app.screen, RunScreen), 300)
        await until(pilot, lambda: app.snapshot.runs[0].state == "finished", 300)
        row = app.snapshot.runs[0]
        assert row.metrics.step == 3 and row.recipe == str(recipe)
        await pilot.press("escape")
        await settled(pilot)
        await until(pilot, lambda: screen.state.changes == ())
        assert "nothing differs" in text_of(app)


def words(count: int) -> list[str]:
    """Return words of which no two are alike."""
    chosen = random.Random(0)
    return ["".join(chosen.choices("abcdefghijklmnop", k=9)) for _ in range(count)]
