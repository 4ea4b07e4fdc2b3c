"""What the app starts outlives it: a dropped line, kill -9; and what a bad terminal does to it."""

from __future__ import annotations

import json
import os
import signal
import time

import pytest

from tests.tui.terminal import Terminal
from tui.app import TemperApp
from tui.modes import MODES
from tui.temper import run_temper
from workspace.jobs import read_job

RECIPE = """\
name: toy
model: {path: builtin}
curate:
  sources: [rows.jsonl]
  type: prompt_completion
train:
  dataset: toy
  steps: 30
  checkpoint_every: 1000
"""

STARTS_A_JOB = """
import sys
from pathlib import Path
import tui.app
tui.app.TemperApp.action_refresh = lambda app: app.run_temper(["train", "--detach"])
sys.exit(tui.app.run_app(Path({root!r})))
"""
"""The app, with a key that starts a job as every screen does."""


@pytest.fixture
def terminals():
    """Return a function that opens the app in a terminal, closed at the end of the test."""
    opened: list[Terminal] = []

    def open_terminal(root, **options) -> Terminal:
        opened.append(Terminal(root, **options))
        return opened[-1]

    yield open_terminal
    for one in opened:
        one.close()


def wait_for(found, *reading: Terminal, seconds=240.0):
    """Wait for a true value, while the terminals show what they get, as terminals do."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := found():
            return value
        for terminal in reading:
            terminal.read_for(0.05)
        time.sleep(0.05)
    raise AssertionError("it did not happen in time")


@pytest.mark.slow
def test_a_job_outlives_a_dropped_line_and_a_killed_app(tmp_path, terminals):
    rows = [{"prompt": f"what is {n}?", "completion": f"it is {n * n}"} for n in range(200)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "temper.yaml").write_text(RECIPE)
    assert run_temper(["curate"], tmp_path).code == 0

    first = terminals(tmp_path, program=STARTS_A_JOB.format(root=str(tmp_path)))
    assert first.read_until(b"quit", 60)
    first.press(b"r")
    job = wait_for(lambda: next(iter(tmp_path.glob("jobs/*-train-*/job.json")), None), first).parent
    run = wait_for(lambda: next(iter(tmp_path.glob("runs/*/run.json")), None), first).parent
    other = terminals(tmp_path)  # two people watch the same workspace
    shown = run.name.split("-", 2)[2].encode()
    assert first.read_until(shown, 60) and other.read_until(shown, 60)
    assert first.read_until(b"running") and other.read_until(b"running")

    assert first.hang_up() is not None
    os.kill(other.pid, signal.SIGKILL)
    assert other.exit_code() == -signal.SIGKILL
    view = read_job(job)
    assert view.state == "running" and view.pid is not None
    assert os.getsid(view.pid) not in (os.getsid(0), first.pid, other.pid)

    again = terminals(tmp_path)
    assert again.read_until(shown, 60) and again.read_until(b"running")
    wait_for(lambda: read_job(job).state != "running", again)
    assert read_job(job).state == "finished"
    assert again.read_until(b"finished", 30)
    again.press(b"q")
    assert again.exit_code() == 0
    assert (run / "model").is_dir()


@pytest.mark.slow
def test_a_line_that_stalls_is_caught_up_with(made, terminals):
    run = made.run("live", state="running", steps=10)
    screen = terminals(made.root, columns=300, lines=80)
    assert screen.read_until(b"live-ab12")
    deadline = time.monotonic() + 6
    step = 10
    while time.monotonic() < deadline:  # nobody reads, and the app has much to say
        step += 1
        made.train(run, [step])
        screen.press(b"t")
        time.sleep(0.05)
    screen.read_for(3.0)
    screen.output = b""
    made.run("after", steps=5, day=2)
    assert screen.read_until(b"after-ab12", 30)
    screen.press(b"q")
    assert screen.exit_code() == 0


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["temper-dark", "ansi-light"])
async def test_every_mode_bears_any_size(made, settled, theme):
    made.run("live", state="running", steps=10)
    made.evaluation(made.run("old", steps=20, day=2), "fail")
    app = TemperApp(made.root, theme=theme)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        for mode in MODES:
            await pilot.press(mode.key)
            for size in ((20, 5), (300, 80), (1, 1), (80, 24)):
                await pilot.resize_terminal(*size)
                await settled(pilot)
                await pilot.press("question_mark", "escape")
        await pilot.press("q")
    assert app.return_code == 0
