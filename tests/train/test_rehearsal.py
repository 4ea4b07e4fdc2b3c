"""The longest batch before the first step: what it measures, and that it leaves no trace."""

from __future__ import annotations

import json
import re
import shutil
from collections import namedtuple
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ruamel.yaml import YAML

from tests.train.memory import refuse
from tests.train.pictured import asked, held, looking, picture, said
from train.record import read_record
from train.rehearsal import Measured, Rehearsal
from train.rehearsal.batch import longest_batch
from train.reporter import Silent
from train.rows import JoinedRows
from workspace.errors import DiskFullError, LimitExceeded, WorkError
from workspace.events import read_events

Losses = Callable[[Path], list[float]]
SHORT = {"steps": 3, "rehearsal": "always"}
DROPOUT = {"adapter": {"kind": "lora", "r": 4, "dropout": 0.1}, "micro_batch_size": 4}
FULL = {"adapter": {"kind": "full"}, "tempering": {"replay": {"dataset": "general", "share": 0.5}}}


class Notes(Silent):
    """Keeps what is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def rehearsal_of(run: Path) -> dict[str, Any]:
    return dict(json.loads((run / "rehearsal.json").read_text()))


def events_of(bench: Any, run: Path, kind: str) -> list[dict[str, Any]]:
    path = bench.workspace.jobs / read_record(run)["job"] / "events.jsonl"
    return [event for event in read_events(path)[0] if event["kind"] == kind]


@pytest.mark.parametrize(
    "train",
    [
        pytest.param(DROPOUT, id="lora with dropout"),
        pytest.param(FULL, id="full", marks=pytest.mark.slow),
    ],
)
def test_a_rehearsed_run_is_bit_for_bit_one_without(
    bench: Any, losses: Losses, train: dict[str, Any]
) -> None:
    with_it = bench.train({**SHORT, **train})
    without = bench.train({**SHORT, **train, "rehearsal": "off"})
    assert losses(with_it) == losses(without) and len(losses(without)) == 3
    (weights,) = (with_it / "model").glob("*.safetensors")
    assert weights.read_bytes() == (without / "model" / weights.name).read_bytes()
    assert [path for path in with_it.iterdir() if path.name.startswith(".")] == []


def test_what_it_measured_is_recorded_and_told_against_the_plan(bench: Any) -> None:
    told = Notes()
    run = bench.train(SHORT, reporter=told)
    found = rehearsal_of(run)
    measured = found["measured"]
    assert found["state"] == "done" and found["micro_batch_size"] == 8
    assert measured["rows"] == 8 and measured["longest"] == 34
    assert 0 < measured["step_seconds"] < 60 and measured["evaluation_bytes"] > 0
    assert found["run_seconds"] == pytest.approx(3 * measured["mean_step_seconds"])
    assert measured["loss"] == measured["repeated_loss"] and found["resume_tolerance"] == 0.0
    adapter = 16_384 * 4  # the checkpoint holds the weights and Adam's two moments of each
    assert 3 * adapter < measured["checkpoint_bytes"] < 6 * adapter
    assert found["disk_needed_bytes"] == 3 * measured["checkpoint_bytes"] + adapter
    assert found["estimate_bytes"] > adapter
    assert [event["state"] for event in events_of(bench, run, "rehearsal")] == ["done"]
    text = "\n".join(told.notes)
    assert "rehearsal: 8 rows of up to 34 tokens, 8 at once" in text
    assert "the plan says" in text and "the step repeated bit for bit" in text


def test_it_is_not_repeated_for_the_same_model_adapter_batch_and_machine(bench: Any) -> None:
    first = rehearsal_of(bench.train({"rehearsal": "auto", "steps": 2}))
    again = rehearsal_of(bench.train({"rehearsal": "auto", "steps": 2, "learning_rate": 0.001}))
    assert (first["state"], again["state"]) == ("done", "reused")
    assert again["measured"] == first["measured"]
    assert again["reason"].endswith("were rehearsed before")
    other = {"rehearsal": "auto", "steps": 2, "adapter": {"kind": "lora", "r": 2}}
    assert rehearsal_of(bench.train(other))["state"] == "done"


@pytest.mark.slow
def test_a_damaged_note_of_an_earlier_rehearsal_only_means_another_one(bench: Any) -> None:
    bench.train({"rehearsal": "auto", "steps": 1})
    for path in (bench.workspace.cache / "rehearsals").iterdir():
        path.write_text('{"schema_version": 1}')
    assert rehearsal_of(bench.train({"rehearsal": "auto", "steps": 1}))["state"] == "done"


def test_fewer_rows_at_once_are_found_with_the_same_batch(
    bench: Any, losses: Losses, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = losses(bench.train({**SHORT, "micro_batch_size": 8, "rehearsal": "off"}))
    seen = refuse(monkeypatch, lambda ids: ids.shape[0] > 2)
    told = Notes()
    run = bench.train({**SHORT, "micro_batch_size": 8}, reporter=told)
    found = rehearsal_of(run)
    assert found["micro_batch_size"] == 2 and found["did_not_fit"] == [8, 4]
    assert losses(run) == pytest.approx(wanted, abs=1e-5)
    plan = json.loads((run / "plan.json").read_text())
    assert plan["batch_size"] == 8 and plan["settings"]["micro_batch_size"]["value"] == 2
    assert set(seen[-12:]) == {2}  # 3 steps of 4 × 2
    assert "! 8 rows at once do not fit: 4 are tried, same batch size" in told.notes
    (change,) = read_record(run)["micro_batches"]
    assert (change["after_step"], change["before"], change["now"]) == (0, 8, 2)
    again = bench.train({**SHORT, "micro_batch_size": 8, "rehearsal": "auto"})
    assert rehearsal_of(again)["state"] == "reused"
    assert rehearsal_of(again)["micro_batch_size"] == 2 and max(seen[-12:]) == 2


@pytest.mark.slow
def test_a_row_that_does_not_fit_alone_stops_the_run_before_its_first_step(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, lambda ids: ids.shape[1] >= 30)
    with pytest.raises(WorkError, match="longest batch does not fit") as caught:
        bench.train({**SHORT, "micro_batch_size": 2})
    assert "34 tokens" in caught.value.cause and "train.max_length" in caught.value.cure
    (run,) = bench.workspace.runs.iterdir()
    assert events_of(bench, run, "metrics") == [] and not (run / "checkpoints").exists()
    tried = [event["smaller"] for event in events_of(bench, run, "out of memory")]
    assert tried == [1]


def test_a_library_that_fails_on_the_longest_batch_is_told_with_the_way_out(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(ids: Any) -> bool:
        raise RuntimeError("no kernel for this shape\nand a hundred lines more")

    refuse(monkeypatch, fails)
    with pytest.raises(WorkError, match="rehearsal failed before the first step") as caught:
        bench.train(SHORT)
    assert caught.value.cause == "RuntimeError: no kernel for this shape"
    assert "train.rehearsal=off" in caught.value.cure


def test_a_loss_that_is_not_finite_when_rehearsed_stops_the_run(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import evalsuite.models.load as loading

    real = loading.load_model

    def load(*args: Any, **options: Any) -> Any:
        model = real(*args, **options)
        model.model.norm.weight.data.fill_(float("inf"))
        return model

    monkeypatch.setattr(loading, "load_model", load)
    with pytest.raises(LimitExceeded, match="the rehearsal failed: the loss is not a finite"):
        bench.train(SHORT)


def test_checkpoints_that_would_not_fit_on_the_disk_stop_the_run(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 10**9, 10_000))
    with pytest.raises(DiskFullError, match="too full for this run") as caught:
        bench.train(SHORT)
    assert "10,000 are free" in caught.value.cause and "keep_checkpoints" in caught.value.cure


def test_the_rehearsed_batch_is_the_beginning_of_the_step_with_the_largest_micro_batch(
    bench: Any,
) -> None:
    prepared = bench.prepare({"batch_size": 8, "micro_batch_size": 1, "steps": 4})
    batch = longest_batch(prepared)
    assert batch.rows == 4 and batch.shape[0] == (1, batch.longest)
    assert batch.longest == int(prepared.rows.padded.max())
    schedule = batch.prepared.schedule
    assert schedule.steps == 2 and np.array_equal(schedule.batch(0), schedule.batch(1))
    whole = [
        int(prepared.rows.padded[one].max())
        for step in range(4)
        for one in prepared.schedule.micro_batches(step)
    ]
    assert batch.mean_step_tokens == pytest.approx(sum(whole) / 4)
    assert batch.tokens == sum(rows * tokens for rows, tokens in batch.shape)


def test_the_micro_batch_with_the_most_pixels_is_rehearsed_too(
    tmp_path: Path, make_bench: Any, tiny_llava: Path
) -> None:
    bench = make_bench(tmp_path, tiny_llava)
    long = looking(0, messages=[*asked(0), *said("late " * 40)])
    large = looking(1, images=[held(picture("blue", 1, size=(90, 90)))])
    rows = [long] * 4 + [large] + [looking(number) for number in range(8)]
    bench.dataset("toy", [{**row, "id": str(number)} for number, row in enumerate(rows)])
    prepared = bench.prepare({"batch_size": 3, "micro_batch_size": 1, "epochs": 1, "steps": None})
    batch = longest_batch(prepared)
    assert batch.shape[0] == (1, batch.longest) and batch.longest > 40
    shown = prepared.rows.pixels[batch.prepared.schedule.batch(0)]
    assert shown.max() == 90 * 90 == prepared.rows.pixels.max() and batch.rows == 4
    text = replace(prepared, rows=Blind(prepared.rows.parts))
    assert 90 * 90 not in prepared.rows.pixels[longest_batch(text).prepared.schedule.batch(0)]


class Blind(JoinedRows):
    """Rows whose images nobody counts."""

    pixels = np.zeros(99, dtype=np.int64)


@pytest.mark.slow
def test_a_batch_smaller_than_a_micro_batch_is_rehearsed_whole(bench: Any) -> None:
    bench.dataset("toy", bench.chats(5))
    run = bench.train({"rehearsal": "always", "epochs": 1, "steps": None, "micro_batch_size": 8})
    assert rehearsal_of(run)["measured"]["rows"] == 5


MEASURED = Measured(8, 34, 1.0, 0.5, 2**30, 2**30, 2**20, 2**20, 0.1, 0.2, 2.0, 2.0)


@pytest.mark.parametrize(
    ("device", "repeated", "tolerance"),
    [("cpu", 2.0, 0.0), ("cpu", 2.001, 0.01), ("cuda", 2.0, 0.002), ("cuda", 2.001, 0.01)],
)
def test_the_tolerance_of_a_resume_is_ten_times_the_rehearsed_difference(
    device: str, repeated: float, tolerance: float
) -> None:
    measured = replace(MEASURED, repeated_loss=repeated)
    found = Rehearsal("done", "", device, 8, (), measured)
    assert found.tolerance == pytest.approx(tolerance)


def test_what_a_gpu_took_is_told_against_the_plan() -> None:
    found = Rehearsal(
        "done", "", "cuda", 4, (8,), MEASURED, 2**31, (3000.0, 7200.0), 3600.0, 2**30, 2**34
    )
    lines = found.lines()
    assert "1.0 GiB at the peak (the plan says 2.0 GiB, -50%)" in lines[0]
    assert lines[1] == "the run takes about 60 min; the plan says 50 min to 2.0 h"
    assert lines[2] == "a checkpoint is 1.0 MiB: the run needs 1.0 GiB of 16.0 GiB free"


def test_the_recipe_of_the_documentation_runs_as_it_stands(bench: Any) -> None:
    text = (Path(__file__).parents[2] / "docs/train-safety.md").read_text()
    (block,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    train = YAML(typ="safe").load(block)["train"]
    run = bench.train(train)
    assert (run / "model").exists() and rehearsal_of(run)["state"] == "done"
