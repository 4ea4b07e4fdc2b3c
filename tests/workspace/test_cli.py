"""The edge: what goes wrong becomes a message and an exit code, never a traceback."""

import errno
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from workspace.cli import no_foreign_exit_codes, run
from workspace.context import Progress, note
from workspace.errors import GateFailed, WorkError

CHATTY = """
import os, signal, sys, time
from workspace.context import Progress, note
signal.signal(signal.SIGHUP, lambda *a: None)
with Progress("working", 100) as progress:
    print("ready", flush=True)
    sys.stdin.readline()
    for step in range(100):
        note(f"step {step}")
        progress.update(step)
with open(sys.argv[1], "w") as stream:
    stream.write("finished")
"""


def test_each_error_ends_in_the_exit_code_of_its_class(capsys: pytest.CaptureFixture[str]) -> None:
    def refuse() -> None:
        raise GateFailed("the gate refused this model", cause="it \x1b[31mforgot", cure="replay")

    assert run(refuse) == 1
    said = capsys.readouterr().err
    assert "\x1b" not in said and "why  it" in said and "do   replay" in said


def test_an_unexpected_error_is_4_without_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        raise ZeroDivisionError("division by zero")

    assert run(fail) == 4
    said = capsys.readouterr().err
    assert "unexpected ZeroDivisionError" in said and "Traceback" not in said


def test_what_a_library_would_call_exit_code_1_is_not() -> None:
    with pytest.raises(WorkError, match="ended early"), no_foreign_exit_codes():
        raise EOFError("cut")


def test_work_goes_on_when_the_terminal_it_tells_is_gone(tmp_path: Path) -> None:
    master, slave = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-P", "-c", CHATTY, str(tmp_path / "done")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=slave,
        text=True,
        env={**os.environ, "TERM": "xterm"},
    )
    os.close(slave)
    assert child.stdout is not None and child.stdin is not None
    assert child.stdout.readline() == "ready\n"
    os.close(master)
    child.communicate("go\n", timeout=30)
    assert child.returncode == 0
    assert (tmp_path / "done").read_text() == "finished"


def test_progress_says_what_how_far_and_how_long() -> None:
    progress = Progress("training", 10, unit="steps")
    progress.done, progress.detail = 5, "loss 1.0"
    assert progress.line().startswith("training: 5/10 steps · loss 1.0 · ")
    assert progress.line().endswith(" left")


def test_what_was_done_before_is_no_measure_of_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("workspace.context.time.monotonic", lambda: now[0])
    progress = Progress("training", 60, unit="steps", done=20)
    assert not progress.line().endswith("left")
    now[0] += 12.0
    progress.done = 32
    assert progress.line().endswith("28 s left")


def test_a_note_is_made_inert(capsys: pytest.CaptureFixture[str]) -> None:
    note("\x1b]0;title\x07")
    assert "\x1b" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.EROFS, "not allowed to read or write here"),
        (errno.ENOSPC, "the disk is full"),
        (errno.EEXIST, "something else is where this should be"),
    ],
)
def test_what_the_system_refuses_is_told_with_the_path_and_a_way_out(
    capsys: pytest.CaptureFixture[str], number: int, said: str
) -> None:
    def refuse() -> None:
        raise OSError(number, os.strerror(number), "/some/where")

    assert run(refuse) == 4
    err = capsys.readouterr().err
    assert said in err and "at   /some/where" in err and "do   " in err
    assert "unexpected" not in err


STREAMS = """
import sys
from workspace.cli import run
from workspace.context import Progress, emit_json, note
from workspace.errors import WorkError
def app():
    with Progress("working", 1) as progress:
        note("noted")
        progress.update(1)
    emit_json({"a": 1})
    with open(sys.argv[1], "w") as stream:
        assert stream.fileno() > 2
        stream.write("whole")
    raise WorkError("told")
sys.exit(run(app))
"""


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_neither_end_the_work_nor_reach_its_files(
    tmp_path: Path, closed: str
) -> None:
    script = f'exec "$0" -P -c "$1" "$2" {closed}'
    done = subprocess.run(
        ["bash", "-c", script, sys.executable, STREAMS, str(tmp_path / "out")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 4, done.stderr
    assert (tmp_path / "out").read_text() == "whole"
    assert "unexpected" not in done.stderr + done.stdout
    assert "told" not in done.stdout
    assert ("told" in done.stderr) == ("2>&-" not in closed)


TABLE = """
import sys
from workspace.cli import no_foreign_exit_codes, run
from workspace.context import emit_table
def app():
    with no_foreign_exit_codes():
        emit_table("t", ["a"], [[str(n) * 50] for n in range(4000)])
sys.exit(run(app))
"""


def test_a_reader_that_goes_away_ends_a_table_with_141() -> None:
    script = '"$0" -P -c "$1" | head -1 >&2; echo "${PIPESTATUS[0]}"'
    # Unbuffered, Python itself passes over a write that was cut short.
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
    done = subprocess.run(
        ["bash", "-c", script, sys.executable, TABLE],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert done.stdout == "141\n"
    assert "Traceback" not in done.stderr


def test_ctrl_c_is_told_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted() -> None:
        with no_foreign_exit_codes():
            raise KeyboardInterrupt

    assert run(interrupted) == 130
    assert "stopped by SIGINT" in capsys.readouterr().err
