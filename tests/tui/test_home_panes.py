"""The panes of the home screen, what is done from them, and what they cost."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import pytest
from textual.events import MouseScrollUp

from tests.tui.keys import until
from tests.tui.pictures import check_pictures
from tui import disk, figures
from tui.app import TemperApp
from tui.away.digest import Digest, News
from tui.beginning import likely_rows
from tui.gpus.reading import parse_report
from tui.screens.dialog import Ask, Choose, Confirm, Notice
from tui.screens.evaluation import EvaluationScreen
from tui.screens.home import HomeScreen
from tui.screens.rows import RowsScreen
from tui.screens.run import RunScreen
from tui.temper import Outcome
from tui.widgets.steps import Steps
from tui.widgets.tables import EvalTable, JobTable
from workspace.jobs import read_job

GPUS = {
    "gpus": [
        {
            "index": 0,
            "name": "NVIDIA H100 80GB HBM3",
            "used_bytes": 42 << 30,
            "total_bytes": 80 << 30,
            "utilisation": 0.73,
            "celsius": 61,
            "processes": [{"pid": 4242, "lineage": [4242], "name": "python", "user": "ada"}],
        }
    ],
    "waiting": [{"place": 1, "job": "20261120-1-train-zz", "workspace": "/w/tone", "user": "bob"}],
}
MANY_GPUS = {"gpus": [{**GPUS["gpus"][0], "index": place} for place in range(20)]}


@pytest.fixture(autouse=True)
def still(monkeypatch):
    """Keep what the machine is out of the pictures: its disk, its clock, its home."""
    monkeypatch.setattr(
        shutil, "disk_usage", lambda _: SimpleNamespace(free=412 << 30, total=1000 << 30)
    )
    monkeypatch.setattr(disk, "_PERIOD_SECONDS", 1e9)


async def test_the_machine_scrolls_and_its_disk_is_always_shown(
    made, settled, text_of, monkeypatch
):
    made.run("first", steps=5)
    app = TemperApp(made.root)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        home = app.screen
        assert isinstance(home, HomeScreen)
        home._machine.show_gpus(parse_report(json.dumps(MANY_GPUS).encode()))
        await pilot.press("shift+tab")
        await pilot.pause()
        assert "412 of 1,000 GiB free" in text_of(app) and "19 H100" not in text_of(app)
        await pilot.press("G")
        await pilot.pause()
        assert "412 of 1,000 GiB free" in text_of(app) and "19 H100" in text_of(app)
        await pilot.press("k", "g")
        await pilot.pause()
        assert "    0 H100" in text_of(app)


async def test_many_gpus_are_scrolled_also_where_all_panes_are_shown(made, settled, text_of):
    made.run("first", steps=5)
    app = TemperApp(made.root)
    async with app.run_test(size=(160, 48)) as pilot:
        await settled(pilot)
        home = app.screen
        assert isinstance(home, HomeScreen)
        machine = home._machine
        machine.show_gpus(parse_report(json.dumps(GPUS).encode()))
        await pilot.press("shift+tab")
        assert home._pane is home._steps and not machine.is_active  # all of it is seen anyway
        machine.show_gpus(parse_report(json.dumps(MANY_GPUS).encode()))
        await pilot.press("tab")
        await pilot.pause()
        assert home._pane is machine and "machine  1-" in text_of(app)
        assert "of 40" in text_of(app) and "19 H100" not in text_of(app)
        await pilot.press("G")
        await pilot.pause()
        assert "40 of 40" in text_of(app) and "19 H100" in text_of(app)
        assert "412 of 1,000 GiB free" in text_of(app)
        await pilot.press("tab")
        await pilot.pause()
        assert home._pane is home._runs
        await pilot._post_mouse_events([MouseScrollUp], machine, offset=(9, 4))
        await pilot.pause()
        assert "39 of 40" in text_of(app)


def fill(made):
    made.recipe()
    made.dataset("triage")
    made.other_job("curate", day=1, result="datasets/triage/1a2b3c4d", ended=time.time())
    made.dataset("general", digest="55667788", kept=3947, dropped=53)
    (made.workspace.datasets / "begun").mkdir()
    for place, name in enumerate(("general", "triage")):
        stamp = 1_700_000_000 + place
        os.utime(made.workspace.datasets / name / "current/ledger.json", (stamp, stamp))
    made.evaluation(made.run("forgets", steps=200, day=3), "fail")
    run = made.run("stopped", state="stopped", steps=88, day=2)
    made.other_job("eval", day=5, state="failed", error="the base model is not there")
    return run


async def test_all_panes_are_there_at_once_or_by_tab(made, settled, text_of, monkeypatch):
    fill(made)
    monkeypatch.setattr(figures.time, "localtime", lambda *_: time.gmtime(1_700_000_000))
    for job in made.workspace.jobs.iterdir():
        record = json.loads((job / "job.json").read_text())
        (job / "job.json").write_text(json.dumps({**record, "started": 100.0, "ended": 165.0}))
    for results in made.workspace.evals.glob("*/results.json"):
        os.utime(results, (1_700_000_000, 1_700_000_000))
    monkeypatch.setattr("tui.widgets.header._from_home", lambda _: "~/project")
    app = TemperApp(made.root)
    async with app.run_test(size=(160, 48)) as pilot:
        await settled(pilot)
        screen = app.screen
        assert isinstance(screen, HomeScreen)
        screen.post_message(screen.GpusRead(parse_report(json.dumps(GPUS).encode())))
        await settled(pilot)
        text = text_of(app)
        for seen in (
            "stopped-ab12",
            "2,866   198.7k",
            "539  16%",
            "▲ begun",
            "copying -54.9",
            "the base model is not there",
            "temper resume stopped-ab12 --detach",
            "temper dial forgets-ab12 --detach",
            "0 H100 80GB HBM3",
            "42/80 GiB",
            "pid 4242 · ada",
            "1. waits: 20261120-1-train-zz · bob · tone",
            "disk: 412 of 1,000 GiB free",
        ):
            assert seen in text, seen
        await check_pictures(pilot, "home")
        await pilot.resize_terminal(80, 24)
        await pilot.press("g")
        expected = (
            "rows     ", "the base", "jobs 1/", "what to do next", "H100", "curve",
        )  # fmt: skip
        for words in ("2,866 kept of 3,405 read", "fell     copying", "temper logs eval-ef56",
                      "forgot copying", "H100", "50 "):  # fmt: skip
            await pilot.press("tab", "g")
            await settled(pilot)
            assert words in text_of(app), (words, expected)
        await pilot.press("shift+tab")
        assert "H100" in text_of(app)


async def test_enter_opens_what_is_selected(made, settled):
    fill(made)
    app = TemperApp(made.root)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("tab", "enter")
        await settled(pilot)
        assert isinstance(app.screen, RowsScreen)
        await pilot.press("1", "tab", "enter")
        await settled(pilot)
        assert isinstance(app.screen, EvaluationScreen)
        await pilot.press("1", "tab", "j", "enter")
        await settled(pilot)
        assert isinstance(app.screen, RunScreen)


async def test_a_first_look_that_comes_before_the_first_layout_is_not_undone_by_it(made, settled):
    made.other_job("curate", state="failed")
    app = TemperApp(made.root)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        assert app.screen.query_one("#steps").display and not app.screen.query_one("#panes").display
        app.screen.on_mount()
        assert app.screen.query_one("#steps").display and not app.screen.query_one("#panes").display


async def test_a_job_that_made_nothing_shows_its_log(made, settled, text_of):
    job = made.other_job("curate", state="failed", error="no rows", result="datasets/gone/1a")
    (job / "log.txt").write_text("curating\n[red]no rows\n  do  add some\n")
    app = TemperApp(made.root)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("shift+tab", "enter")
        await settled(pilot)
        assert isinstance(app.screen, Notice)
        assert "[red]no rows" in text_of(app) and "do  add some" in text_of(app)
        await pilot.press("escape")
        assert isinstance(app.screen, HomeScreen)


@pytest.mark.slow
async def test_a_job_is_stopped_after_a_question_and_stays_without_one(made, settled, text_of):
    directory = made.other_job("eval", state="queued")
    program = (
        "import signal, sys, time; from pathlib import Path\n"
        "from workspace.jobs import run_job; from workspace.layout import Workspace\n"
        f"with run_job(Workspace(Path({str(made.root)!r})), 'eval', ['temper', 'eval'],"
        f" job_id={directory.name!r}) as job:\n"
        "    print('on', flush=True)\n"
        "    while True:\n"
        "        job.check_stop(); time.sleep(0.02)\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == b"on\n"
        app = TemperApp(made.root)
        async with app.run_test(size=(80, 24)) as pilot:
            await settled(pilot)
            await pilot.press("shift+tab")  # without runs it begins at what to do next
            assert app.screen.query_one(JobTable).selected.state == "running"
            await pilot.press("x")
            assert isinstance(app.screen, Confirm)
            assert "temper stop eval-ef56" in text_of(app)
            await pilot.press("n")
            assert read_job(directory).state == "running"
            await pilot.press("x", "y")
            await app.workers.wait_for_complete()
            child.wait(20)
            await settled(pilot)
            assert read_job(directory).state == "stopped"
            assert "■ stopped · eval" in text_of(app)
            await pilot.press("x")
            await pilot.pause()
            assert isinstance(app.screen, HomeScreen)
    finally:
        if child.poll() is None:
            child.send_signal(signal.SIGKILL)
            child.wait()
        child.stdout.close()


async def test_what_is_proposed_is_run_after_a_question_where_it_is_long(
    made, settled, text_of, monkeypatch
):
    made.recipe()
    made.dataset("triage")
    app = TemperApp(made.root)
    ran = []
    monkeypatch.setattr(app, "run_temper", lambda arguments, then=None: ran.append(arguments))
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("d")
        assert "Training may take hours" in text_of(app)
        await pilot.press("n")
        assert ran == []
        await pilot.press("d", "y")
        assert ran == [("train", "--detach")]
        run = made.run("triage", state="stopped", steps=5)
        await settled(pilot)
        await pilot.press("R")
        assert ran[1:] == [["resume", "triage-ab12", "--detach"]]
        made.job(made.job_of(run), state="finished", result=f"runs/{run.name}")
        await settled(pilot)
        await pilot.press("R", "tab", "tab", "tab", "tab", "enter")
        assert ran[2:] == [("eval", "triage-ab12", "--detach")]


async def test_the_first_start_begins_a_workspace_by_keys(made, settled, text_of):
    (made.root / "notes.json").write_text("{}")
    (made.root / "mine.jsonl").write_text('{"prompt": "a", "completion": "b"}\n')
    app = TemperApp(made.root)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        assert app.screen.query_one(Steps).selected.arguments[0] == "init"
        assert "▌ · Begin with rows of your own" in text_of(app)
        await pilot.press("j", "d")
        assert isinstance(app.screen, Confirm)
        await pilot.press("n", "k", "enter")
        assert isinstance(app.screen, Ask)
        assert "mine.jsonl" in text_of(app) and "esc  leave" in text_of(app)
        await pilot.press(*"yours", "enter")  # what is typed replaces what was proposed
        await pilot.pause()
        assert "There is no file yours in" in text_of(app)
        await pilot.press(*["backspace"] * 5, "enter")
        await pilot.pause()
        assert "There is no raw/" in text_of(app)
        await pilot.press(*"mine.jsonl", "enter")
        assert isinstance(app.screen, Choose)
        await pilot.press("j", "enter")
        await pilot.pause()
        assert "Which model" in text_of(app) and "builtin" in text_of(app)
        await pilot.press("enter")
        await settled(pilot)
        assert "mine.jsonl" in (made.root / "temper.yaml").read_text()
        assert "path: builtin" in (made.root / "temper.yaml").read_text()
        assert "scorer: {kind: exact}" in (made.root / "suites/target.yaml").read_text()
        assert "▌ · The recipe project has no dataset yet" in text_of(app)
        made.run("first", steps=5)
        await settled(pilot)
        assert "▌ ✓ first-ab12" in text_of(app)


def test_likely_rows_are_proposed(tmp_path):
    assert likely_rows(tmp_path / "gone") == ""
    assert likely_rows(tmp_path) == ""
    for name in ("b.csv", "a.json", ".hidden.jsonl", "notes.txt"):
        (tmp_path / name).write_text("x")
    assert likely_rows(tmp_path) == "b.csv"
    (tmp_path / "Z.JSONL").write_text("x")
    assert likely_rows(tmp_path) == "Z.JSONL"
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/rows.jsonl").write_text("x")
    assert likely_rows(tmp_path) == ""


async def test_the_first_start_can_also_look_into_a_file(made, settled, text_of):
    (made.root / "mine.jsonl").write_text('{"prompt": "seen here", "completion": "b"}\n')
    app = TemperApp(made.root)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        assert "Only look into a file of rows" in text_of(app)
        await pilot.press("G", "enter")
        await pilot.pause()
        assert isinstance(app.screen, Ask) and "mine.jsonl" in text_of(app)
        await pilot.press(*"nowhere", "enter")
        await pilot.pause()
        assert "There is no file nowhere in" in text_of(app)
        await pilot.press(*["backspace"] * 7, *"mine.jsonl", "enter")
        await until(pilot, lambda: "seen here" in text_of(app))
        assert isinstance(app.screen, RowsScreen)
        await pilot.press("1")
        await settled(pilot)
        assert not (made.root / "datasets").exists()  # nothing was made


async def test_another_model_is_named_in_the_command(made, settled, monkeypatch):
    (made.root / "rows.csv").write_text("prompt,completion\na,b\n")
    app = TemperApp(made.root)
    ran = []
    monkeypatch.setattr(app, "run_temper", lambda arguments, then=None: ran.append(arguments))
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("d", "enter", "enter", *"org/base", "enter")
        await pilot.pause()
        assert ran == [("init", ".", "--task", "chat", "--data", "rows.csv", "--model", "org/base")]


async def test_a_step_is_begun_once_however_often_its_key_is_pressed(made, settled, monkeypatch):
    made.recipe()
    app = TemperApp(made.root)
    go, ran = threading.Event(), []

    def start(arguments, directory, **_):
        ran.append(arguments)
        assert go.wait(60)
        return Outcome(arguments, 2, "", "no")

    monkeypatch.setattr("tui.temper.run_temper", start)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("d", "enter", "d")
        await pilot.pause()
        assert ran == [("curate", "--detach")]
        assert "It is being started already." in [note.message for note in app._notifications]
        go.set()
        await until(pilot, lambda: isinstance(app.screen, Notice))
        await pilot.press("escape", "d")
        await until(pilot, lambda: len(ran) == 2)


async def test_news_leave_room_for_what_to_do_next(made, settled, text_of):
    fill(made)
    app = TemperApp(made.root)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("tab", "tab", "tab", "tab")
        app.screen.show_digest(Digest(0.0, (News("pass", "it passed"),)))
        await pilot.pause()
        assert "it passed" in text_of(app) and "▌   ❯ temper resume" in text_of(app)


async def test_bad_files_and_a_vanished_workspace_are_rows_and_words(made, settled, text_of):
    fill(made)
    ledger = made.workspace.datasets / "triage/current/ledger.json"
    ledger.write_text('{"schema_version": 9}')
    next(made.workspace.evals.iterdir()).joinpath("results.json").write_text('{"schema')
    (made.workspace.jobs / "half").mkdir()
    (made.workspace.datasets / "\x1b[31mred[bold]").mkdir()
    app = TemperApp(made.root)
    async with app.run_test(size=(160, 48)) as pilot:
        await settled(pilot)
        text = text_of(app)
        for seen in ("▲ triage", "▲ eval-cd34", "▲ half", "\\x1b[31mred[bold]"):
            assert seen in text
        await pilot.press("tab")
        for _ in range(4):
            await pilot.press("j")
            await settled(pilot)
        await pilot.press("tab", "x", "R", "y", "tab", "enter")
        await settled(pilot)
        assert isinstance(app.screen, Notice)
        await pilot.press("escape")
        shutil.rmtree(made.root)
        await settled(pilot)
        assert "Nothing is here yet" in text_of(app)
        assert app.screen.query_one(EvalTable).selected is None


@pytest.mark.slow
async def test_ten_thousand_runs_answer_keys(made, settled):
    for number in range(10_000):
        run = made.workspace.runs / f"20261101-{number:06d}-many-ab12"
        job = made.workspace.jobs / f"20261101-{number:06d}-train-ab12"
        for directory, file in ((run, "run.json"), (job, "job.json")):
            directory.mkdir(parents=True)
            record = {"schema_version": 1, "state": "finished", "result": f"runs/{run.name}"}
            (directory / file).write_text(json.dumps(record))
    app = TemperApp(made.root)
    async with app.run_test(size=(160, 48)) as pilot:
        while len(app.snapshot.runs) < 10_000 or app.snapshot.pending:
            await pilot.pause(0.1)
        began = time.process_time()
        for key in ("G", "g", "j", "k", "ctrl+d", "tab", "G", "shift+tab") * 3:
            await pilot.press(key)
        assert (time.process_time() - began) / 24 < 0.1
