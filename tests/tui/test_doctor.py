"""The doctor: what it finds, and the way out it names."""

from __future__ import annotations

import os
import pty
import stat
import threading

import pytest

from tests.tui.pictures import check_pictures
from tui import doctor, glyphs, terminal_checks
from tui.app import TemperApp
from tui.findings import Finding
from tui.terminal_checks import examine_terminal, round_trip
from workspace import hangup


def found(environment, **answers):
    """Return the findings by name; `answers` are what tmux says."""

    def ask(command):
        return answers.get(command[-1].lstrip("-").replace("-", "_"), "")

    return {one.what: one for one in examine_terminal(environment, ask)}


@pytest.mark.parametrize(
    ("environment", "level", "said"),
    [
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, "ok", "16 million"),
        ({"TERM": "xterm-256color"}, "ok", "256"),
        ({"TERM": "xterm"}, "warn", "16, by TERM=xterm"),
        ({"NO_COLOR": "1"}, "ok", "none"),
    ],
)
def test_colours(environment, level, said):
    one = found(environment)["colours"]
    assert (one.level, said in one.found) == (level, True)


def test_tmux_that_holds_escape_back_and_its_clipboard():
    inside = {"TMUX": "/tmp/x", "TERM": "tmux-256color"}
    slow = found(inside, escape_time="500", V="tmux 3.3a")
    assert (slow["escape"].level, "500 ms" in slow["escape"].found) == ("warn", True)
    assert "escape-time 10" in slow["escape"].cure
    assert "load-buffer" in slow["clipboard"].found
    old = found(inside, escape_time="10", V="tmux 2.9")
    assert (old["escape"].level, old["clipboard"].level) == ("ok", "warn")
    assert "OSC 52" in found({"TERM": "xterm"})["clipboard"].found
    assert found({"TERM": "screen"})["clipboard"].level == "warn"
    assert found(inside)["clipboard"].level == "warn"


def test_a_line_over_ssh_names_compression():
    assert "ssh -C" in found({"SSH_CONNECTION": "a b c d"})["line"].cure
    assert found({})["line"].cure == ""


def test_the_round_trip_is_that_of_the_terminal():
    master, slave = pty.openpty()
    try:
        asked = threading.Thread(
            target=lambda: os.read(master, 10) and os.write(master, b"x\x1b[3;7R")
        )
        asked.start()
        seconds = round_trip(slave, slave)
        asked.join()
        assert seconds is not None
        assert 0 < seconds < terminal_checks._ANSWER_SECONDS
    finally:
        os.close(master)
        os.close(slave)


def test_a_terminal_that_does_not_answer_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(terminal_checks, "_ANSWER_SECONDS", 0.1)
    master, slave = pty.openpty()
    try:
        assert round_trip(slave, slave) is None
    finally:
        os.close(master)
        os.close(slave)


def test_a_hang_up_is_really_tried(monkeypatch):
    assert hangup.outlives_hang_up()
    monkeypatch.setattr(
        hangup, "_TRIAL", hangup._TRIAL.replace("start_new_session=True", "start_new_session=False")
    )
    assert hangup.outlives_hang_up() is False


@pytest.mark.parametrize("trial", ["raise OSError('out of pty devices')", "print(", None])
def test_a_hang_up_that_could_not_be_tried_is_no_failure(monkeypatch, trial):
    monkeypatch.setattr(hangup, "_TRIAL", trial or "import time; time.sleep(9)")
    monkeypatch.setattr(hangup, "_TRIAL_SECONDS", 15.0 if trial else 0.1)
    one = doctor._hang_up()
    assert (one.level, "could not be tried" in one.found) == ("warn", True)


def test_a_driver_that_hangs_is_a_finding(tmp_path, monkeypatch):
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\nexec sleep 30\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(doctor, "_DRIVER_SECONDS", 1.0)
    (one,) = doctor._gpus()
    assert one.level == "fail"
    assert "did not answer" in one.found


async def test_the_screen_shows_what_is_not_well_first_with_its_cure(
    made, settled, text_of, monkeypatch
):
    monkeypatch.setattr("tui.widgets.header._from_home", lambda _: "~/project")
    findings = [
        Finding("ok", "python", "3.11.7"),
        Finding("warn", "escape", "tmux holds Escape back for 500 ms", "set -sg escape-time 10"),
        Finding("fail", "gpu", "the driver did not answer within 10 s", "Look at `dmesg`."),
        *(Finding("ok", f"lib{place}", f"1.{place}") for place in range(40)),
        Finding("ok", "bad[b]", "\x1b[31mred\u202e"),
    ]
    monkeypatch.setattr(doctor, "examine", lambda *, in_app: iter(findings))
    app = TemperApp(made.root)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("7")
        await app.workers.wait_for_complete()
        await settled(pilot)
        lines = [line for line in text_of(app).split("\n") if line.strip()]
        assert "✗ gpu" in lines[5]
        assert "❯ Look at `dmesg`." in lines[6]
        assert "? escape" in lines[7]
        await check_pictures(pilot, "doctor")
        await pilot.resize_terminal(20, 5)
        await settled(pilot)
        await pilot.press("G")
        assert "bad[b]" in text_of(app)
        assert "\x1b" not in text_of(app)
        await pilot.press("g")
        assert "gpu" in text_of(app)


async def test_the_screen_without_colours_does_not_crash(made, settled, text_of, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(doctor, "examine", lambda *, in_app: iter([]))
    app = TemperApp(made.root, glyph_set=glyphs.ASCII)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("7")
        await settled(pilot)
        assert "NO_COLOR is set" in text_of(app)
        assert text_of(app).isascii()


def test_everything_is_looked_at():
    names = {one.what for one in doctor.examine(in_app=True)}
    assert names >= {"python", "textual", "disk", "colours", "escape", "clipboard", "line",
                     "hang-up", "log-out"}  # fmt: skip
    assert "gpu" in names or "gpu 0" in names
