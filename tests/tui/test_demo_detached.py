"""The demo as a job of its own: refused at once, then on without the terminal, and stoppable."""

import os
import time

import pytest

from tui.demo import check_empty
from tui.lanes import Command, Lanes
from tui.temper import run_temper
from workspace.errors import Stopped, UsageError
from workspace.jobs import list_jobs, stop_job
from workspace.layout import Workspace


def test_only_its_own_record_may_be_there(tmp_path):
    check_empty(tmp_path / "new")
    (tmp_path / "jobs/mine").mkdir(parents=True)
    check_empty(tmp_path, own_job="mine")
    with pytest.raises(UsageError):
        check_empty(tmp_path)
    (tmp_path / "jobs/other").mkdir()
    with pytest.raises(UsageError):
        check_empty(tmp_path, own_job="mine")


def test_commands_of_lanes_stop_with_the_job(tmp_path):
    def stop():
        raise Stopped(15)

    began = time.monotonic()
    with pytest.raises(Stopped):
        Lanes(tmp_path, stop).run([Command("one", ("logs", "none"), frozenset({2}))])
    assert time.monotonic() - began < 60


@pytest.mark.slow
def test_it_begins_in_an_empty_directory_and_is_stopped(tmp_path):
    outcome = run_temper(["demo", ".", "--detach"], tmp_path)
    assert outcome.code == 0, outcome.said
    assert "temper stop" in outcome.output
    deadline = time.monotonic() + 120
    while not (tmp_path / "temper.yaml").exists() and time.monotonic() < deadline:
        time.sleep(0.2)
    (demo,) = [job for job in list_jobs(Workspace(tmp_path)) if job.kind == "demo"]
    assert demo.state == "running"
    assert demo.pid is not None
    assert os.getsid(demo.pid) == demo.pid
    stop_job(demo)
    while time.monotonic() < deadline:
        (demo,) = [job for job in list_jobs(Workspace(tmp_path)) if job.kind == "demo"]
        if demo.state != "running":
            break
        time.sleep(0.2)
    assert demo.state == "stopped"
    assert run_temper(["demo", ".", "--detach"], tmp_path).code == 2
