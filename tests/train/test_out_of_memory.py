"""Out of memory in the middle: fewer rows at once, the same gradients, nothing lost."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.train.memory import refuse, refuse_from_pass
from train.plan.micro_batch import smaller_micro_batch, with_micro_batch
from train.record import read_record
from train.reporter import Silent
from workspace.errors import LimitExceeded, Stopped, UsageError, WorkError
from workspace.events import read_events

Losses = Callable[[Path], list[float]]
WHOLE = {"steps": 6, "micro_batch_size": 8, "checkpoint_every": 4}


def events_of(bench: Any, run: Path, kind: str) -> list[dict[str, Any]]:
    path = bench.workspace.jobs / read_record(run)["job"] / "events.jsonl"
    return [event for event in read_events(path)[0] if event["kind"] == kind]


class Notes(Silent):
    """Keeps what is told; asks the job to stop after a step."""

    def __init__(self, stop_after: int = 0) -> None:
        self.notes: list[str] = []
        self.stop_after = stop_after

    def note(self, text: str) -> None:
        self.notes.append(text)

    def step(self, report: Any) -> None:
        if report.step == self.stop_after:
            signal.raise_signal(signal.SIGTERM)


@pytest.fixture(scope="module")
def known() -> list[float]:
    """Filled once with the losses of a run with memory enough."""
    return []


@pytest.fixture
def straight(bench: Any, losses: Losses, known: list[float]) -> list[float]:
    """Losses of a run with memory enough."""
    if not known:
        known += losses(bench.train(WHOLE))
        shutil.rmtree(bench.workspace.runs)
    return known


def test_it_goes_on_from_the_newest_whole_step_with_the_same_gradients(
    bench: Any, losses: Losses, monkeypatch: pytest.MonkeyPatch, straight: list[float]
) -> None:
    seen = refuse(monkeypatch, refuse_from_pass(4, rows=2))
    told = Notes()
    run = bench.train(WHOLE, reporter=told)
    found = losses(run)
    assert found[:3] == straight[:3]
    assert found == pytest.approx(straight, abs=1e-5)
    assert seen == [8, 8, 8, 8, 4, *[2] * 12]  # steps 1-3, two refusals, steps 4-6
    changes = read_record(run)["micro_batches"]
    assert [(one["after_step"], one["before"], one["now"]) for one in changes] == [
        (3, 8, 4),
        (3, 4, 2),
    ]
    refused = events_of(bench, run, "out of memory")
    assert [(one["step"], one["micro_batch_size"], one["smaller"]) for one in refused] == [
        (4, 8, 4),
        (4, 4, 2),
    ]
    assert any("going on from step 3 with 2 at once × 4" in note for note in told.notes)
    table = pq.read_table(run / "batches.parquet").to_pylist()
    assert {row["micro_batch"] for row in table if row["step"] <= 3} == {0}
    assert {row["micro_batch"] for row in table if row["step"] > 3} == {0, 1, 2, 3}
    plan = json.loads((run / "plan.json").read_text())
    assert plan["batch_size"] == 8 and plan["settings"]["micro_batch_size"] == {
        "value": 2,
        "reason": "4 ran out of memory in step 4",
    }


def test_a_resume_afterwards_keeps_the_smaller_number(
    bench: Any, losses: Losses, monkeypatch: pytest.MonkeyPatch, straight: list[float]
) -> None:
    refuse(monkeypatch, refuse_from_pass(2, rows=4))
    with pytest.raises(Stopped):
        bench.train(WHOLE, reporter=Notes(stop_after=3))
    (run,) = bench.workspace.runs.iterdir()
    seen = refuse(monkeypatch, lambda ids: ids.shape[0] > 4)
    bench.resume(run)
    assert set(seen) == {4}
    assert losses(run) == pytest.approx(straight, abs=1e-5)
    assert len(read_record(run)["micro_batches"]) == 1


def test_in_the_first_step_it_begins_again(
    bench: Any, losses: Losses, monkeypatch: pytest.MonkeyPatch, straight: list[float]
) -> None:
    refuse(monkeypatch, lambda ids: ids.shape[0] > 4)
    run = bench.train(WHOLE)
    assert losses(run) == pytest.approx(straight, abs=1e-5)
    assert read_record(run)["micro_batches"][0]["after_step"] == 0


def test_in_the_middle_of_an_update_it_goes_back_to_a_checkpoint(
    bench: Any, losses: Losses, monkeypatch: pytest.MonkeyPatch, straight: list[float]
) -> None:
    """Some weights have changed by then and others have not: they are not saved."""
    import torch
    from torch.optim.optimizer import register_optimizer_step_pre_hook

    updates = 0

    def before(*_: Any) -> None:
        nonlocal updates
        updates += 1
        if updates == 6:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    hook = register_optimizer_step_pre_hook(before)
    try:
        run = bench.train(WHOLE)
    finally:
        hook.remove()
    assert read_record(run)["micro_batches"][0]["after_step"] == 4
    assert losses(run) == pytest.approx(straight, abs=1e-5)


def test_a_row_alone_that_does_not_fit_stops_the_run_to_be_resumed(
    bench: Any, losses: Losses, monkeypatch: pytest.MonkeyPatch, straight: list[float]
) -> None:
    refuse(monkeypatch, refuse_from_pass(3, rows=0))
    with pytest.raises(WorkError, match="out of memory with the fewest rows") as caught:
        bench.train({**WHOLE, "micro_batch_size": 2, "steps": 3})
    (run,) = bench.workspace.runs.iterdir()
    assert f"temper resume {run.name}" in caught.value.cure
    assert caught.value.exit_code == 4 and caught.value.cause == "No step is saved yet."


@pytest.mark.slow
@pytest.mark.parametrize("adapter", [{"kind": "full"}, {"kind": "peft", "tuner": "ADALORA"}])
def test_it_goes_on_the_same_way_with_other_adapters(
    bench: Any, losses: Losses, monkeypatch: pytest.MonkeyPatch, adapter: dict[str, Any]
) -> None:
    wanted = losses(bench.train({**WHOLE, "adapter": adapter}))
    refuse(monkeypatch, refuse_from_pass(4, rows=2))
    assert losses(bench.train({**WHOLE, "adapter": adapter})) == pytest.approx(wanted, abs=1e-4)


def test_another_micro_batch_in_the_recipe_needs_no_word_to_resume(
    bench: Any, losses: Losses, straight: list[float]
) -> None:
    with pytest.raises(Stopped):
        bench.train(WHOLE, reporter=Notes(stop_after=3))
    (run,) = bench.workspace.runs.iterdir()
    bench.recipe({**WHOLE, "micro_batch_size": 2})
    told = Notes()
    bench.resume(run, reporter=told)
    assert any("train.micro_batch_size: was 8, is 2" in note for note in told.notes)
    assert losses(run) == pytest.approx(straight, abs=1e-5)
    assert json.loads((run / "plan.json").read_text())["settings"]["micro_batch_size"]["value"] == 2


@pytest.mark.parametrize(
    ("batch", "micro", "smaller"), [(8, 8, 4), (6, 6, 3), (6, 3, 1), (10, 10, 5), (7, 7, 1)]
)
def test_the_smaller_number_divides_the_batch(
    bench: Any, batch: int, micro: int, smaller: int
) -> None:
    prepared = bench.prepare({"batch_size": batch, "micro_batch_size": micro, "steps": 2})
    assert smaller_micro_batch(prepared) == smaller
    split = with_micro_batch(prepared, smaller, "for a test")
    same = bench.prepare({"batch_size": batch, "micro_batch_size": smaller, "steps": 2})
    assert split.plan.schedule_digest == same.plan.schedule_digest
    assert split.plan.padding_share == same.plan.padding_share


def test_one_row_at_once_cannot_be_halved(bench: Any) -> None:
    assert smaller_micro_batch(bench.prepare({"micro_batch_size": 1})) is None


# The record of a resumed run


def recorded_run(bench: Any) -> Path:
    """A run that wrote losses beyond its newest checkpoint, as a kill leaves one."""
    with pytest.raises(Stopped):
        bench.train({**WHOLE, "checkpoint_every": 2}, reporter=Notes(stop_after=3))
    (run,) = bench.workspace.runs.iterdir()
    shutil.rmtree(run / "checkpoints" / "step-4")
    return Path(run)


def test_a_resumed_run_repeats_the_recorded_losses_or_stops_with_the_difference(
    bench: Any, losses: Losses
) -> None:
    run = recorded_run(bench)
    path = bench.workspace.jobs / read_record(run)["job"] / "events.jsonl"
    wanted = losses(run)
    tampered = [
        {**event, "loss": event["loss"] + 0.25}
        if (event["kind"], event.get("step")) == ("metrics", 4)
        else event
        for event in read_events(path)[0]
    ]
    path.write_text("".join(json.dumps(event) + "\n" for event in tampered))
    for _ in range(2):  # what was computed instead does not become the record
        with pytest.raises(LimitExceeded, match="not the one that was recorded") as caught:
            bench.resume(run)
        assert caught.value.where == "step 4 of 6" and "differ by 0.25" in caught.value.cause
        assert "--accept loss" in caught.value.cure
    assert [event["step"] for event in events_of(bench, run, "alarm")] == [4, 4]
    bench.resume(run, accept=["loss"])
    accepted = read_record(run)["attempts"][-1]["accepted"]
    assert [one["name"] for one in accepted] == ["loss"]
    assert losses(run)[:4] == wanted[:4]


def test_a_typo_in_accept_does_not_pass_for_a_loss(bench: Any) -> None:
    run = recorded_run(bench)
    bench.recipe({**WHOLE, "checkpoint_every": 2, "seed": 4})
    with pytest.raises(UsageError, match="not as when this run"):
        bench.resume(run, accept=["losses", "loss"])
