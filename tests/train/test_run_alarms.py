"""Alarms of a run: what is not finite, diverges or stalls, with its step, rows and place."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from train.divergence import LossWatch
from train.guard import Guard, recorded_losses
from train.record import read_record
from train.reporter import Silent
from train.stall import Watchdog
from workspace.errors import LimitExceeded
from workspace.events import EventLog, read_events


def alarms_of(bench: Any) -> list[dict[str, Any]]:
    (run,) = bench.workspace.runs.iterdir()
    path = bench.workspace.jobs / read_record(run)["job"] / "events.jsonl"
    return [event for event in read_events(path)[0] if event["kind"].startswith("alarm")]


def poison(monkeypatch: pytest.MonkeyPatch, token: int) -> None:
    """Let every model that is loaded read a token as not a number."""
    import evalsuite.models.load as loading

    real = loading.load_model

    def after(module: Any, args: Any, output: Any) -> Any:
        return output.masked_fill((args[0] == token).unsqueeze(-1), float("nan"))

    def load(*args: Any, **options: Any) -> Any:
        model = real(*args, **options)
        model.get_input_embeddings().register_forward_hook(after)
        return model

    monkeypatch.setattr(loading, "load_model", load)


def test_a_loss_that_is_not_finite_names_the_rows_and_keeps_the_checkpoint_before(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    step, rows = 3, bench.chats(37)
    place = int(bench.prepare().schedule.batch(step - 1)[3])
    rows[place]["messages"][0]["content"] += " ~"  # nowhere else
    bench.dataset("toy", rows)
    prepared = bench.prepare({"micro_batch_size": 2, "checkpoint_every": 1})
    name = prepared.rows.row_id(place)[0]
    token = set(prepared.rows[place].input_ids.tolist())
    for other in range(37):
        if other != place:
            token -= set(prepared.rows[other].input_ids.tolist())
    poison(monkeypatch, min(token))
    with pytest.raises(LimitExceeded, match="the loss is not a finite number") as caught:
        bench.train({"micro_batch_size": 2, "checkpoint_every": 1})
    (alarm,) = alarms_of(bench)
    assert alarm["step"] == step and name in alarm["rows"] and len(alarm["rows"]) == 2
    assert f"step {step} of 6, micro-batch {alarm['micro_batch']}" == caught.value.where
    assert name in caught.value.cause
    assert f"that of step {step - 1} is kept" in caught.value.cause
    (run,) = bench.workspace.runs.iterdir()
    assert (run / f"checkpoints/step-{step - 1}/manifest.json").exists()
    found = [
        row["row_id"]
        for row in pq.read_table(run / "batches.parquet").to_pylist()
        if (row["step"], row["micro_batch"]) == (step, alarm["micro_batch"])
    ]
    assert sorted(found) == sorted(alarm["rows"])


DIVERGING = {
    "adapter": {"kind": "full"},
    "learning_rate": 0.6,
    "max_grad_norm": 1e9,
    "schedule": "constant",
    "warmup": 6,
    "steps": 30,
    "checkpoint_every": 3,
}


def test_a_run_that_diverges_is_stopped_and_goes_on_if_it_is_meant(bench: Any) -> None:
    window = {"alarms": {"window": 3, "divergence": 1.5}}
    with pytest.raises(LimitExceeded, match="the run diverges") as caught:
        bench.train({**DIVERGING, **window})
    assert "The mean loss of the last 3 steps" in caught.value.cause
    assert "train.alarms.divergence: null" in caught.value.cure
    (alarm,) = alarms_of(bench)
    assert alarm["alarm"] == "divergence"
    (run,) = bench.workspace.runs.iterdir()
    assert list((run / "checkpoints").iterdir())
    bench.recipe({**DIVERGING, "alarms": {"divergence": None}})
    assert (bench.resume(run) / "model").exists()


def test_a_resumed_run_remembers_the_lowest_loss() -> None:
    watch = LossWatch(2.0, window=2)
    watch.replay([3.0, 1.0, 1.0])
    assert watch.after(1.5) is None
    assert watch.after(6.0) is not None


def test_a_small_loss_that_doubles_is_no_alarm() -> None:
    watch = LossWatch(2.0, window=1)
    assert [watch.after(loss) for loss in (0.05, 0.4, 0.9)] == [None] * 3
    assert LossWatch(None, window=1).after(1e9) is None


def test_a_stall_is_told_once_with_its_place_and_its_end(tmp_path: Path) -> None:
    notes: list[str] = []
    events = EventLog(tmp_path / "events.jsonl")
    with Watchdog(0.1, events, notes.append) as dog:
        dog.alive(7)
        time.sleep(0.5)
        dog.alive(8)
    alarm, over = read_events(events.path)[0]
    assert alarm["alarm"] == "stalled" and alarm["step"] == 7
    assert "of 0.1 allowed" in alarm["what"]
    assert alarm["place"].startswith("test_a_stall_is_told_once")
    assert over["kind"] == "alarm over" and over["seconds"] >= 0.1
    assert notes[0].startswith("! step 7: nothing was begun for")


def test_a_run_that_stalls_goes_on_with_an_alarm_in_its_events(bench: Any) -> None:
    class Slow(Silent):
        def step(self, report: Any) -> None:
            if report.step == 2:
                time.sleep(1.2)

    stalled = {"alarms": {"stalled_seconds": 0.05}, "steps": 3}
    run = bench.train(stalled, reporter=Slow())
    assert (run / "model").exists()
    found = [alarm for alarm in alarms_of(bench) if alarm.get("step") == 2]
    assert found and "step" in found[0]["place"]


@pytest.mark.parametrize(("step_seconds", "allowed"), [(None, 600.0), (2.0, 60.0), (30.0, 300.0)])
def test_a_stall_is_ten_rehearsed_steps_and_at_least_a_minute(
    step_seconds: float | None, allowed: float
) -> None:
    assert Guard(step_seconds=step_seconds).stall_seconds == allowed


def test_losses_from_before_a_change_are_not_held_against_a_resumed_run() -> None:
    def metrics(step: int, loss: float) -> dict[str, Any]:
        return {"kind": "metrics", "step": step, "loss": loss}

    events = [metrics(1, 3.0), metrics(2, 2.0), metrics(3, 1.0)]
    assert recorded_losses(events, after=1) == {2: 2.0, 3: 1.0}
    assert recorded_losses([*events, {"kind": "replanned"}, metrics(3, 0.5)], after=1) == {3: 0.5}
    assert recorded_losses([*events, {"kind": "micro batch"}], after=1) == {}
