"""The Eval screens by keys, on real directories."""

from __future__ import annotations

import json
import shutil
import threading
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.tui.conftest import screen_text
from tests.tui.pictures import check_pictures
from tui import glyphs
from tui.app import TemperApp
from tui.screens.answers import AnswersScreen
from tui.screens.dialog import Ask, Choose
from tui.screens.evals import EvalsScreen
from tui.screens.evaluation import EvaluationScreen
from tui.screens.measure import MeasureScreen
from tui.screens.measuring import MeasuringScreen
from tui.screens.whole import WholeScreen
from tui.temper import Outcome


async def press(pilot, settled, *keys):
    """Press keys one after another; whatever they start is over before the next."""
    for key in keys:
        await pilot.press(key)
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()
    await settled(pilot)


async def until(pilot, is_so):
    """Wait for a command that was started by a key: it is another process."""
    for _ in range(300):
        if is_so():
            return
        await pilot.pause(0.05)
    raise AssertionError(screen_text(pilot.app))


@asynccontextmanager
async def checklist(made, settled, text_of):
    """Open the app at the checklist of a new evaluation."""
    app = TemperApp(made.root)
    async with app.run_test(size=(100, 30)) as pilot:
        await settled(pilot)
        await pilot.press("4", "e")
        await until(pilot, lambda: "builtin:retention" in text_of(app))
        yield pilot


async def test_from_the_list_to_the_verdict_the_forest_and_every_page(
    made, evaluation, settled, text_of
):
    app = TemperApp(made.root)
    async with app.run_test(size=(100, 40)) as pilot:
        await settled(pilot)
        await press(pilot, settled, "4")
        assert isinstance(app.screen, EvalsScreen)
        listed = text_of(app)
        for expected in ("✗ fail", "Support tickets to triage", "Failed: "):
            assert expected in listed
        await press(pilot, settled, "enter")
        assert isinstance(app.screen, EvaluationScreen)
        text = text_of(app)
        for expected in ("naive against base", "To be gained", "never replayed", "[abilities]"):
            assert expected in text
        rows = [line.split() for line in text.splitlines() if "├" in line]
        assert ["lost" for row in rows if row[0] == "✗"] == [r[-1] for r in rows if r[0] == "✗"]
        await press(pilot, settled, "s", "s")
        rows = [line.split() for line in text_of(app).splitlines() if "├" in line]
        kept = [row[1] for row in rows if row[1] not in ("triage", "comparison", "dates", "✓")]
        assert kept == sorted(kept) != []
        await press(pilot, settled, "m")
        assert "tempered against base" in text_of(app)
        for page, expected in (
            ("verdict", "Because"), ("own data", "not asked for"), ("prompts", "Tune: tempered"),
            ("checks", "adapter is active"), ("abilities", "To be kept"),
        ):  # fmt: skip
            await press(pilot, settled, "tab")
            assert f"[{page}]" in text_of(app)
            assert expected in text_of(app)
        await press(pilot, settled, "space")
        assert isinstance(app.screen, WholeScreen)
        assert "would see" in text_of(app)
        await press(pilot, settled, "escape", "escape")
        assert isinstance(app.screen, EvalsScreen)


async def test_flips_stand_side_by_side_and_can_be_filtered_read_and_saved(
    made, evaluation, settled, text_of, drawn
):
    app = TemperApp(made.root)
    lost = int((drawn["capitals"]["naive"] < drawn["capitals"]["base"]).sum())
    async with app.run_test(size=(100, 40)) as pilot:
        await settled(pilot)
        app.open_eval(evaluation)
        await pilot.pause()
        await press(pilot, settled, "f")
        assert isinstance(app.screen, AnswersScreen)
        await press(pilot, settled, "a")
        assert isinstance(app.screen, Choose)
        await press(pilot, settled, "j", "j", "j", "enter")
        text = text_of(app)
        for expected in ("capitals", f"1/{lost}", "wanted  Lima", "base · 1.00", "naive · 0.00"):
            assert expected in text
        assert "differs from the gold" in text
        assert "\x1b" not in text and "\u202e" not in text
        await press(pilot, settled, "d", "d")
        assert "0/0" in text_of(app) or "gained: wrong before" in text_of(app)
        await press(pilot, settled, "d", "d", "d")
        await press(pilot, settled, "c")
        assert "peru, capital (5 items)" in text_of(app)
        await press(pilot, settled, "G", "end", "enter")
        assert "1/5" in text_of(app)
        await press(pilot, settled, "w")
        await press(pilot, settled, "j", "j", "enter")
        assert isinstance(app.screen, Ask)
        await press(pilot, settled, "enter")
        await until(pilot, (made.root / "items.jsonl").is_file)
        saved = [json.loads(line) for line in (made.root / "items.jsonl").read_text().splitlines()]
        assert len(saved) == 5 and all(one["gold"] == "Lima" for one in saved)
        await press(pilot, settled, "slash", *"no such", "enter")
        assert "No such item" in text_of(app)
        await press(pilot, settled, "slash", *["backspace"] * 7, "enter", "enter")
        assert isinstance(app.screen, WholeScreen)
        assert "wanted\n" in "\n".join(line.rstrip() for line in text_of(app).splitlines())
        await press(pilot, settled, "escape", "i")
        await until(pilot, lambda: "there is no run" in text_of(app))


async def test_from_a_regression_a_key_leads_to_its_nearest_training_rows(
    made, evaluation, settled, text_of, monkeypatch
):
    asked = []
    row = {"id": "7d8ffac458", "similarity": 0.31, "text": "Where is [b]Peru[/b]? \x1b[2J"}

    def answer(arguments, directory, **_):
        asked.append(arguments)
        return Outcome(tuple(arguments), 0, json.dumps({"rows": [row], "note": "of naive"}), "")

    app = TemperApp(made.root)
    async with app.run_test(size=(100, 40)) as pilot:
        await settled(pilot)
        app.open_eval(evaluation)
        await pilot.pause()
        await press(pilot, settled, "f")
        monkeypatch.setattr("tui.temper.run_temper", answer)
        await pilot.press("i")
        await until(pilot, lambda: "nearest training rows" in text_of(app))
        text = text_of(app)
        assert "0.31 7d8ffac4" in text and "[b]Peru[/b]" in text and "\x1b" not in text
        (arguments,) = asked
        assert arguments[:2] == ["neighbours", evaluation.name] and "/" in arguments[2]
        assert arguments[3:] == ["--model", "naive", "--json"]


async def test_samples_that_are_gone_and_an_evaluation_deleted_while_open_are_said(
    made, evaluation, settled, text_of
):
    app = TemperApp(made.root)
    (evaluation / "samples.parquet").unlink()
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await press(pilot, settled, "4", "enter", "enter")
        assert "The stored answers are missing" in text_of(app)
        await press(pilot, settled, "space", "i", "w", "c", "slash", "escape", "escape")
        shutil.rmtree(evaluation)
        await settled(pilot)
        await settled(pilot)
        assert "deleted" in text_of(app)
        await press(pilot, settled, "escape")
        assert "There is no evaluation yet" in text_of(app)
        await press(pilot, settled, "enter", "space", "y", "s", "v")
        assert "No evaluation here has scores" in text_of(app)


@pytest.mark.slow
async def test_broken_and_hostile_evaluations_are_rows_and_open(made, evaluation, settled, text_of):
    record = json.loads((evaluation / "results.json").read_text())
    hostile = "\x1b]0;x\x07[red]\u202e" + "w" * 300
    record["comparisons"][0]["verdict"]["abilities"][1]["name"] = hostile
    record["comparisons"][0]["verdict"]["headline"] = hostile
    record["title"] = hostile
    (evaluation / "results.json").write_text(json.dumps(record))
    for name, content in (
        ("20261121-000000-newer-aaaa", '{"schema_version": 9}'),
        ("20261121-000001-torn-bbbb", '{"schema_version": 1, "mod'),
        ("20261121-000002-odd-cccc", '{"schema_version": 1, "comparisons": 7, "created": 4}'),
    ):
        (made.workspace.evals / name).mkdir()
        (made.workspace.evals / name / "results.json").write_text(content)
    dial = made.workspace.evals / "20261121-000003-dial-dddd"
    dial.mkdir()
    (dial / "dial.json").write_text('{"schema_version": 1}')
    app = TemperApp(made.root, glyph_set=glyphs.ASCII)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await press(pilot, settled, "4")
        text = text_of(app)
        assert (
            text.count("! broken") == 2
            and "! dial" not in text
            and " dial" in text
            and "no verdict" in text
        )
        for _ in range(5):
            await press(pilot, settled, "enter", "f")
            shown = text_of(app)
            assert "\x1b" not in shown and "\u202e" not in shown
            while not isinstance(app.screen, EvalsScreen):
                await pilot.press("escape")
                await pilot.pause()
            await pilot.press("j")
        for size in ((20, 5), (300, 60), (1, 1)):
            await pilot.resize_terminal(*size)
            await press(pilot, settled, "g", "enter", "f", "escape", "tab", "space", "escape")
            await press(pilot, settled, "escape", "v", "escape")


@pytest.fixture
def held(made, monkeypatch):
    """Return an event that lets a started evaluation become a job, and what was started."""
    go, started = threading.Event(), []

    def start(arguments, directory, **_):
        started.append([*arguments])
        assert go.wait(60)
        job = made.workspace.jobs / "20261122-000000-eval-tempered"
        job.mkdir(parents=True)
        made.job(job, state="running", kind="eval", argv=["temper", *arguments[:-1]])
        return Outcome(tuple(arguments), 0, f"job   {job.name}\n", "")

    monkeypatch.setattr("tui.temper.run_temper", start)
    yield go, started
    go.set()


@pytest.mark.slow
async def test_the_command_of_an_evaluation_is_chosen_by_keys(
    made, evaluation, settled, text_of, request
):
    made.run("tempered", steps=3)
    made.run("live", state="running", steps=3)
    (made.root / "suites").mkdir()
    (made.root / "suites" / "mine.yaml").write_text("name: mine\n")
    (made.root / "baselines").mkdir()
    (made.root / "baselines" / "torn.json").write_text("{")
    app = TemperApp(made.root)
    async with app.run_test(size=(100, 40)) as pilot:
        await settled(pilot)
        await press(pilot, settled, "4", "b")
        await press(pilot, settled, *"good", "enter", *"why not", "enter")
        await until(pilot, lambda: "Name one with --model" in text_of(app))  # there are two
        await press(pilot, settled, "enter", "enter", "m", "b", *"good", "enter", *"yes", "enter")
        await until(pilot, (made.root / "baselines" / "good.json").is_file)
        await press(pilot, settled, "a")
        assert isinstance(app.screen, MeasureScreen)
        assert "tempered of 20261120-233000-triage-ab12 yes" in text_of(app)
        await press(pilot, settled, "enter", "j", "enter")
        assert "torn cannot be chosen" in text_of(app)
        await press(pilot, settled, "g", "enter")
        assert "live-ab12 cannot be chosen" in text_of(app)
        await press(pilot, settled, "j", "enter", "j", "enter")
        command = "temper eval tempered-ab12 --suite mine --against good --detach"
        assert command in text_of(app)
        assert app.screen.copy_text() == command
        go, started = request.getfixturevalue("held")  # what came before really ran
        await pilot.press("S", "S")
        await until(pilot, lambda: started)
        assert "already" in text_of(app)
        go.set()
        await until(pilot, lambda: isinstance(app.screen, MeasuringScreen))
        assert started == [command.split()[1:]]


async def test_an_evaluation_that_starts_is_told_also_after_leaving(made, held, settled, text_of):
    go, started = held
    async with checklist(made, settled, text_of) as pilot:
        app = pilot.app
        await pilot.press("S")
        await until(pilot, lambda: started)
        await pilot.press("escape", "e")
        await until(pilot, lambda: "builtin:retention" in text_of(app))
        assert "starting: temper eval --detach" in text_of(app)
        await pilot.press("S")
        await pilot.pause()
        assert started == [["eval", "--detach"]] and "already" in text_of(app)
        go.set()
        await until(pilot, lambda: app.snapshot.jobs)
        await until(pilot, lambda: "running: temper eval" in text_of(app))
        assert "starting" not in text_of(app)


async def test_who_comes_back_after_it_began_sees_the_evaluation_that_was_started(
    made, held, settled, text_of
):
    go, _ = held
    async with checklist(made, settled, text_of) as pilot:
        app = pilot.app
        await pilot.press("S", "1")
        await until(pilot, lambda: not isinstance(app.screen, MeasureScreen))
        go.set()
        await settled(pilot)
        await pilot.press("4")
        await until(pilot, lambda: isinstance(app.screen, MeasuringScreen))
        assert "temper stop eval-tempered" in text_of(app)
        await pilot.press("escape")
        await pilot.pause()
        assert isinstance(app.screen, EvalsScreen)


async def test_a_job_is_followed_until_its_verdict_opens(made, evaluation, settled, text_of):
    job = made.workspace.jobs / "20261122-000000-eval-tempered"
    job.mkdir(parents=True)
    made.job(job, state="running", kind="eval", argv=["temper", "eval", "tempered"])
    (job / "log.txt").write_text("answering: 10/600 answers\n")
    app = TemperApp(made.root)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await press(pilot, settled, "4")
        assert "● running" in text_of(app)
        await press(pilot, settled, "enter")
        assert isinstance(app.screen, MeasuringScreen)
        assert "10/600" in text_of(app) and "temper stop eval-tempered" in text_of(app)
        with (job / "log.txt").open("a") as log:
            log.write("answering: 600/600 answers\n")
        await settled(pilot)
        assert "600/600" in text_of(app)
        made.job(job, state="finished", kind="eval", result=f"evals/{evaluation.name}")
        await settled(pilot)
        await press(pilot, settled, "r")
        assert isinstance(app.screen, EvaluationScreen)
        assert "naive against base" in text_of(app)
        assert app.poller.follows is None


async def test_the_log_of_a_job_is_followed_again_after_another_one_was(made, settled, text_of):
    job = made.workspace.jobs / "20261122-000000-eval-tempered"
    job.mkdir(parents=True)
    made.job(job, state="running", kind="eval", argv=["temper", "eval", "tempered"])
    (job / "log.txt").write_text("answering: 10/600 answers\n")
    run = made.run("other", state="running", steps=3)
    app = TemperApp(made.root)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await press(pilot, settled, "4", "enter")
        assert "10/600" in text_of(app)
        await pilot.press("1")
        app.open_run(run.name)
        await pilot.pause()
        app._close_run(job / "log.txt", None)
        assert app.poller.follows == made.job_of(run) / "log.txt"
        await pilot.press("escape")
        await pilot.pause()
        assert app.poller.follows is None
        (job / "log.txt").write_text("answering: 10/600 answers\nanswering: 600/600 answers\n")
        await press(pilot, settled, "4")
        assert text_of(app).count("10/600") == 1 and "600/600" in text_of(app)


async def test_a_growing_log_is_followed_to_its_end_unless_one_reads_above(made, settled, text_of):
    job = made.workspace.jobs / "20261122-000000-eval-tempered"
    job.mkdir(parents=True)
    made.job(job, state="running", kind="eval", argv=["temper", "eval", "tempered"])
    log = job / "log.txt"
    log.write_text("answering: 0/600 answers\n")

    async def write(first: int, last: int) -> None:
        with log.open("a") as stream:
            stream.writelines(f"answering: {one}/600 answers\n" for one in range(first, last))
        await settled(pilot)

    app = TemperApp(made.root)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await press(pilot, settled, "4", "enter")
        for first in range(1, 60, 15):
            await write(first, first + 15)
            assert f" {first + 14}/600" in text_of(app)
        await press(pilot, settled, *["k"] * 3)
        await write(61, 70)
        assert " 57/600" in text_of(app) and " 69/600" not in text_of(app)


@pytest.mark.slow
async def test_pictures(made, evaluation, settled, monkeypatch):
    monkeypatch.setattr(Path, "home", lambda: made.root.parent)
    monkeypatch.setattr("tui.widgets.evaluation_table.moment", lambda _: "20 Nov 23:30")
    app = TemperApp(made.root)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await press(pilot, settled, "4")
        await check_pictures(pilot, "evals")
        await press(pilot, settled, "enter")
        await check_pictures(pilot, "evaluation")
        await press(pilot, settled, "enter")
        await app.workers.wait_for_complete()
        await check_pictures(pilot, "answers")
        await press(pilot, settled, "space")
        await check_pictures(pilot, "whole")
        await press(pilot, settled, "escape", "escape", "v")
        await check_pictures(pilot, "trends")
        await press(pilot, settled, "escape", "escape", "e")
        await until(pilot, lambda: "builtin:triage" in screen_text(app))
        await check_pictures(pilot, "measure")
        job = made.workspace.jobs / "20261122-000000-eval-tempered"
        job.mkdir(parents=True)
        made.job(job, state="running", kind="eval", argv=["temper", "eval", "tempered"])
        note = "2026-11-22 02:09:41,935 WARNING torch: old\n"
        (job / "log.txt").write_text(f"reading suites …\n{note}answering: 10/600 answers\n")
        app.push_screen(MeasuringScreen(app.glyphs, made.root, job.name))
        await settled(pilot)
        await check_pictures(pilot, "measuring")
