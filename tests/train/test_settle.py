"""A run that was killed after its model was published."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from train.record import read_record
from workspace.events import read_events
from workspace.jobs import read_job


def test_resume_finishes_the_job_of_a_run_whose_model_is_there(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tui.command_line import app

    run = bench.train({"steps": 2})
    job = bench.workspace.jobs / read_record(run)["job"]
    weights = {path.name: path.read_bytes() for path in (run / "model").iterdir()}
    document = json.loads((job / "job.json").read_text())
    document |= {"state": "running", "pid": 2**22 + 1, "ended": None, "exit_code": None}
    (job / "job.json").write_text(json.dumps(document))
    assert read_job(job).state == "lost"
    monkeypatch.chdir(bench.root)
    done = CliRunner().invoke(app, ["resume", run.name, "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["model"] == str(run / "model")
    found = read_job(job)
    assert found.state == "finished" and found.result == f"runs/{run.name}"
    last = read_events(job / "events.jsonl")[0][-1]
    assert (last["kind"], last["steps"], last["attempt"]) == ("model", 2, 2)
    assert {path.name: path.read_bytes() for path in (run / "model").iterdir()} == weights
    again = CliRunner().invoke(app, ["resume", run.name])
    assert again.exit_code != 0 and "finished" in str(again.exception)
