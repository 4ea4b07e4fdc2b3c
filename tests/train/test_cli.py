"""The commands as a person types them."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from evalsuite.models import ModelSection
from train.cli import register
from train.recipe import TrainSection
from train.reporter import Silent
from workspace.context import Context
from workspace.errors import LimitExceeded, Stopped, UsageError
from workspace.jobs import JobView, read_job, stop_job

app = typer.Typer()


@app.callback()
def root(context: typer.Context) -> None:
    context.obj = Context(lambda: {"model": ModelSection, "train": TrainSection}, ("temper",))


register(app)


@pytest.fixture
def temper(bench: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run `temper …` in the workspace; errors come out as they are."""
    bench.recipe()
    monkeypatch.chdir(bench.root)
    monkeypatch.setenv("COLUMNS", "160")

    def call(*arguments: str) -> Any:
        result = CliRunner().invoke(app, list(arguments))
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == 0, result.output
        return result

    return call


def test_plan_prints_rows_settings_and_sums(temper: Any) -> None:
    out = temper("plan").stdout
    assert "37" in out and "learning_rate" in out and "recipe" in out
    assert "6 steps × 8 rows" in out and "= 48 rows = 48 train" in out
    assert "nothing is replayed" in out


def test_explain_speed_prints_every_lever_with_its_reason_and_trains_nothing(
    temper: Any, bench: Any
) -> None:
    out = temper("train", "--explain-speed", "--set", "train.packing=bfd").stdout
    for lever in ("packing", "padding_free", "attention", "checkpointing", "compile", "fused"):
        assert lever in out
    assert "bfd" in out and "recipe" in out and "at once" in out
    document = json.loads(temper("train", "--explain-speed", "--json").stdout)
    assert document["levers"]["packing"]["value"] in ("off", "bfd")
    assert all(one["reason"] for one in document["levers"].values())
    assert "gpu" in document["machine"]
    assert not bench.workspace.runs.exists() and not bench.workspace.jobs.exists()


def test_plan_prints_what_packing_saves(temper: Any) -> None:
    out = temper("plan", "--set", "train.packing=bfd").stdout
    assert "unpacked" in out and "train-0.jsonl" in out and "sequences" in out


def test_plan_json_is_the_plan_with_its_ledger(temper: Any) -> None:
    document = json.loads(temper("plan", "--json", "--set", "train.steps=3").stdout)
    assert document["steps"] == 3 and document["ledger"]["totals"]["train"]["rows_kept"] == 37


def test_preview_marks_what_is_trained(temper: Any) -> None:
    out = temper("preview", "--rows", "2").stdout
    assert out.count("⟦") == 2 and "<|im_end|>⟧" in out
    assert "37 assistant turns in 37 rows; 37 end in <|im_end|>" in out


def test_preview_shows_one_row_by_id_and_makes_hostile_text_inert(bench: Any, temper: Any) -> None:
    rows = bench.chats(5)
    rows[3]["messages"][0]["content"] = "card \x1b[31mred\x07"
    bench.dataset("toy", rows)
    out = temper("preview", "--id", "train-3").stdout
    assert "\x1b[31m" not in out and "\\x1b[31mred\\x07" in out
    with pytest.raises(UsageError, match="no such row"):
        temper("preview", "--id", "nothing")


def test_preview_json_has_the_tokens(temper: Any) -> None:
    document = json.loads(temper("preview", "--rows", "1", "--json").stdout)
    (row,) = document["rows"]
    assert len(row["input_ids"]) == row["tokens"] and document["proof"]["passed"] is True


def test_train_says_where_the_model_is_and_resume_refuses_a_finished_run(
    bench: Any, temper: Any
) -> None:
    result = temper("train", "--name", "first")
    (run,) = bench.workspace.runs.iterdir()
    assert run.name.split("-")[2] == "first"
    assert f"temper eval {run.name}" in result.stdout
    assert "mask proof" in result.stderr and "threads: 1" in result.stderr
    with pytest.raises(UsageError, match="finished"):
        temper("resume", "first")


def test_train_json_is_one_document(temper: Any) -> None:
    document = json.loads(temper("train", "--json").stdout)
    assert document["steps"] == 6 and document["loss"] > 0


def test_what_cannot_be_trained_exits_with_its_code(bench: Any, temper: Any) -> None:
    with pytest.raises(LimitExceeded) as caught:
        temper("train", "--set", "train.max_length=8")
    assert caught.value.exit_code == 6


def test_resume_goes_on_from_the_newest_checkpoint(bench: Any, temper: Any) -> None:
    class Stopper(Silent):
        def step(self, report: Any) -> None:
            if report.step == 3:
                signal.raise_signal(signal.SIGHUP)

    with pytest.raises(Stopped) as caught:
        bench.train(reporter=Stopper())
    assert caught.value.exit_code == 129
    result = temper("resume", "latest")
    assert "continuing at step 4 of 6 (attempt 2)" in result.stderr
    assert "temper eval" in result.stdout


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")  # the point
def test_a_detached_run_is_stopped_and_goes_on_detached_as_the_same_job(
    bench: Any, temper: Any, losses: Any
) -> None:
    long = ("--set", "train.steps=150", "--set", "train.checkpoint_every=1000")
    job_id = json.loads(temper("train", "--detach", "--json", *long).stdout)["job"]
    directory = bench.workspace.jobs / job_id
    run = wait_for(lambda: next(iter(bench.workspace.runs.glob("*/run.json")), None)).parent
    wait_for(lambda: losses(run))
    stop_job(read_job(directory))
    assert wait_for(lambda: ended(directory)).state == "stopped"
    done = len(losses(run))
    assert 0 < done < 150

    again = json.loads(temper("resume", run.name, "--detach", "--json").stdout)["job"]
    assert again == job_id
    assert wait_for(lambda: ended(directory)).state == "finished"
    assert read_job(directory).attempt == 2 and len(losses(run)) == 150
    assert (run / "model").is_dir()
    with pytest.raises(UsageError, match="this run is finished"):
        temper("resume", run.name, "--detach")


def ended(directory: Path) -> JobView | None:
    job = read_job(directory)
    return None if job.state in ("queued", "running") else job


def wait_for(found: Callable[[], Any], seconds: float = 120.0) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if result := found():
            return result
        time.sleep(0.05)
    raise AssertionError("it did not happen in time")
