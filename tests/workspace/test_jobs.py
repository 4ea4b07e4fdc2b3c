"""Jobs tell finished from stopped from lost, whoever died and however."""

import json
import logging
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from workspace.errors import DataError, LimitExceeded, Stopped, UsageError
from workspace.job_log import begins_note, is_note
from workspace.jobs import JobView, list_jobs, read_job, run_job, stop_job
from workspace.layout import Workspace
from workspace.machine import own_identity, process_started

SLEEPER = """
    import sys, time
    from pathlib import Path
    from workspace.jobs import run_job
    from workspace.layout import Workspace
    with run_job(Workspace(Path(sys.argv[1])), "train", ["temper", "train"]) as job:
        print(job.id, flush=True)
        while True:
            job.check_stop(cure="resume it")
            time.sleep(0.02)
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


def start_sleeper(workspace: Workspace) -> tuple[subprocess.Popen[str], Path]:
    child = subprocess.Popen(
        [sys.executable, "-P", "-c", textwrap.dedent(SLEEPER), str(workspace.root)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert child.stdout is not None
    directory = workspace.jobs / child.stdout.readline().strip()
    child.stdout.close()
    return child, directory


def ended(workspace: Workspace) -> JobView:
    (view,) = list_jobs(workspace)
    return view


def test_a_job_that_returns_is_finished_and_names_its_result(workspace: Workspace) -> None:
    with run_job(workspace, "curate", ["temper", "curate"]) as job:
        job.result(workspace.root / "datasets" / "a")
        assert read_job(job.dir).state == "running"
    view = ended(workspace)
    assert (view.state, view.exit_code, view.result) == ("finished", 0, "datasets/a")


def test_a_job_that_raises_is_failed_with_its_exit_code(workspace: Workspace) -> None:
    with pytest.raises(LimitExceeded), run_job(workspace, "train", []):
        raise LimitExceeded("too many rows dropped")
    view = ended(workspace)
    assert (view.state, view.exit_code, view.error) == ("failed", 6, "too many rows dropped")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_asks_and_the_job_stops_where_it_is_safe(
    workspace: Workspace, number: signal.Signals
) -> None:
    with pytest.raises(Stopped) as caught, run_job(workspace, "train", []) as job:
        os.kill(os.getpid(), number)
        time.sleep(0.01)
        job.check_stop()
    assert caught.value.exit_code == 128 + number
    assert ended(workspace).state == "stopped"


def test_a_stop_that_comes_too_late_for_an_inner_job_stops_the_outer(workspace: Workspace) -> None:
    with pytest.raises(Stopped), run_job(workspace, "curve", ["temper", "curve"]) as outer:
        with run_job(workspace, "train", ["temper", "curve"]) as inner:
            signal.raise_signal(signal.SIGTERM)
        assert read_job(inner.dir).state == "finished"
        outer.check_stop()
    assert read_job(outer.dir).state == "stopped"


def test_a_stop_that_comes_before_an_inner_job_stops_it_too(workspace: Workspace) -> None:
    with pytest.raises(Stopped), run_job(workspace, "curve", ["temper", "curve"]) as outer:
        signal.raise_signal(signal.SIGTERM)
        with run_job(workspace, "train", ["temper", "curve"]) as inner:
            inner.check_stop()
    assert (read_job(inner.dir).state, read_job(outer.dir).state) == ("stopped", "stopped")


def test_a_killed_job_is_lost_and_nobody_had_to_write_it(workspace: Workspace) -> None:
    child, directory = start_sleeper(workspace)
    assert read_job(directory).state == "running"
    child.kill()
    child.wait()
    assert read_job(directory).state == "lost"
    assert json.loads((directory / "job.json").read_text())["state"] == "running"


def test_stop_ends_a_job_in_another_process_as_stopped(workspace: Workspace) -> None:
    child, directory = start_sleeper(workspace)
    stop_job(read_job(directory))
    assert child.wait(10) != 0
    assert read_job(directory).state == "stopped"
    with pytest.raises(UsageError, match="is stopped, not running"):
        stop_job(read_job(directory))


def test_a_job_from_before_the_last_boot_is_lost(workspace: Workspace) -> None:
    with run_job(workspace, "train", []) as job:
        pass
    record = json.loads((job.dir / "job.json").read_text())
    record.update(state="running", boot_id="another")
    (job.dir / "job.json").write_text(json.dumps(record))
    assert read_job(job.dir).state == "lost"


def test_the_same_job_cannot_run_twice_at_once(workspace: Workspace) -> None:
    child, directory = start_sleeper(workspace)
    try:
        with (
            pytest.raises(UsageError, match="already running"),
            run_job(workspace, "train", [], job_id=directory.name),
        ):
            pass
    finally:
        child.kill()
        child.wait()


def test_a_second_attempt_keeps_the_first_record_and_counts(workspace: Workspace) -> None:
    with run_job(workspace, "train", ["temper", "train", "a.yaml"]) as first:
        pass
    with run_job(workspace, "train", ["temper", "resume"], job_id=first.id) as second:
        assert second.attempt == 2
    assert read_job(first.dir).argv == ("temper", "train", "a.yaml")


def test_a_secret_in_the_command_never_reaches_the_record(workspace: Workspace) -> None:
    key = "sk-" + "x" * 30
    with run_job(workspace, "curate", ["temper", "curate", "--set", f"a={key}"]) as job:
        pass
    assert key not in (job.dir / "job.json").read_text()


def test_a_broken_record_is_an_error_for_one_and_skipped_in_lists(workspace: Workspace) -> None:
    broken = workspace.jobs / "20260101-000000-train-abcd"
    broken.mkdir(parents=True)
    (broken / "job.json").write_text('{"state": ')
    with pytest.raises(DataError, match="cannot be read"):
        read_job(broken)
    assert list_jobs(workspace) == []


def test_a_job_of_another_machine_is_not_signalled_by_its_number(workspace: Workspace) -> None:
    child, directory = start_sleeper(workspace)
    try:
        record = json.loads((directory / "job.json").read_text())
        record["host"] = "elsewhere"
        (directory / "job.json").write_text(json.dumps(record))
        with pytest.raises(UsageError, match="runs on elsewhere"):
            stop_job(read_job(directory))
        assert child.poll() is None
    finally:
        child.kill()
        child.wait()


def test_a_queued_job_whose_process_is_gone_is_lost(workspace: Workspace) -> None:
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    started = process_started(child.pid)
    child.wait()
    directory = workspace.jobs / "20260101-000000-train-abcd"
    directory.mkdir(parents=True)
    record = {"state": "queued", **own_identity(), "pid": child.pid, "process_started": started}
    (directory / "job.json").write_text(json.dumps(record))
    assert read_job(directory).state == "lost"


def test_an_unexpected_error_leaves_its_traceback_in_the_log(workspace: Workspace) -> None:
    with pytest.raises(ZeroDivisionError), run_job(workspace, "train", []) as job:
        raise ZeroDivisionError("by zero")
    assert "ZeroDivisionError: by zero" in job.log_path.read_text()


def test_what_libraries_log_can_be_told_from_the_own_lines(workspace: Workspace) -> None:
    with run_job(workspace, "curate", ["temper"]) as job:
        logging.getLogger("py.warnings").warning("%s", "/lib/a.py:3: old\n  warnings.warn(\n")
        logging.getLogger("a.library").error("out of memory\n  at once")
        logging.getLogger("temper.serve").warning("of ours")
    lines = job.log_path.read_text().splitlines()
    assert [is_note(line) for line in lines] == [True, True, False, False, False]
    assert [begins_note(line) for line in lines[:2]] == [True, False]
    assert lines[0].endswith("WARNING py.warnings: /lib/a.py:3: old")
    assert lines[1] == "    |   warnings.warn("
    assert lines[3] == "  at once"


def test_a_log_that_cannot_be_written_prints_no_traceback(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    with run_job(workspace, "train", ["temper", "train"]):
        (handler,) = [one for one in logging.getLogger().handlers if "log.txt" in str(one)]
        assert isinstance(handler, logging.FileHandler)
        handler.stream.close()
        handler.stream = Path("/dev/full").open("w")  # noqa: SIM115  (the handler closes it)
        logging.getLogger("temper").error("nobody can write this")
    assert capsys.readouterr().err == ""


def test_stopping_what_has_ended_says_what_to_do(workspace: Workspace) -> None:
    with run_job(workspace, "train", ["temper", "train"]):
        pass
    with pytest.raises(UsageError, match="finished") as caught:
        stop_job(ended(workspace))
    assert "temper jobs" in caught.value.cure
