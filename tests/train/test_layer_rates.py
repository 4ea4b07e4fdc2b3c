"""Lower layers learn slower."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from train.record import read_record
from train.reporter import Silent
from workspace.errors import Stopped
from workspace.events import read_events

RATES = {"tempering": {"layer_rates": {"decay": 0.5}}}
FULL = {"adapter": {"kind": "full"}, **RATES}
LORA = {"adapter": {"kind": "lora", "r": 4, "trainable_tokens": ["card"]}, **RATES}
SGD = {"optimizer": "sgd", "schedule": "constant", "warmup": 0, "steps": 1}


def build(bench: Any, train: dict[str, Any]) -> Any:
    from transformers import AutoTokenizer

    from evalsuite.models.load import load_model
    from train.checkpoints import CheckpointStore
    from train.run import _quiet_libraries
    from train.trl_bridge import FitRequest, build_trainer
    from workspace.jobs import run_job

    prepared = bench.prepare(train)
    with run_job(bench.workspace, "train", ["test"]) as job, _quiet_libraries():
        store = CheckpointStore(bench.root / "checkpoints", keep=1)
        request = FitRequest(prepared, store, job, 0, "cpu", "float32", lambda report: None)
        tokenizer = AutoTokenizer.from_pretrained(bench.model)
        return build_trainer(load_model(bench.model), tokenizer, request)


@pytest.mark.parametrize("train", [FULL, LORA], ids=["full", "lora"])
def test_each_weight_is_in_one_group_with_the_rate_of_its_depth(
    bench: Any, train: dict[str, Any]
) -> None:
    trainer = build(bench, {**train, "weight_decay": 0.1})
    trainer.create_optimizer()
    names = {parameter: name for name, parameter in trainer.model.named_parameters()}
    found = {}
    for group in trainer.optimizer.param_groups:
        for one in group["params"]:
            assert names[one] not in found
            found[names[one]] = (group["lr"], group["weight_decay"])
    trained = {name for name, one in trainer.model.named_parameters() if one.requires_grad}
    assert set(found) == trained
    for name, (rate, decay) in found.items():
        depth = 0 if "embed" in name else 1 if ".0." in name else 2 if ".1." in name else 3
        assert rate == pytest.approx(0.01 * (0.125, 0.25, 0.5, 1.0)[depth]), name
        assert decay == (0.0 if "norm" in name else 0.1)
    assert len({rate for rate, _ in found.values()}) == (4 if train is FULL else 3)


def test_a_weight_moves_by_its_part_of_the_rate(bench: Any) -> None:
    from safetensors.torch import load_file

    base = load_file(bench.model / "model.safetensors")
    moved = []
    for tempering in ({}, RATES["tempering"]):
        train = {**FULL, **SGD, "tempering": tempering}
        tuned = load_file(bench.train(train) / "model" / "model.safetensors")
        moved.append({name: (tuned[name] - base[name]).norm() for name in base})
    for part, factor in (
        ("embed_tokens", 0.125),
        ("layers.0.mlp.up", 0.25),
        ("layers.1.mlp.up", 0.5),
    ):
        (name,) = [name for name in base if part in name]
        assert float(moved[1][name] / moved[0][name]) == pytest.approx(factor, rel=1e-2)
    assert float(moved[1]["model.norm.weight"] / moved[0]["model.norm.weight"]) == pytest.approx(
        1.0, rel=1e-2
    )


class StopAfter(Silent):
    def step(self, report: Any) -> None:
        if report.step == 3:
            signal.raise_signal(signal.SIGTERM)


def test_a_stopped_run_continues_bit_for_bit_and_tells_the_plans_rate(
    bench: Any, losses: Callable[[Path], list[float]]
) -> None:
    train = {**LORA, "checkpoint_every": 2, "schedule": "constant", "warmup": 0}
    straight = bench.train(train)
    wanted = losses(straight)
    shutil.move(straight, bench.root / "straight")
    with pytest.raises(Stopped):
        bench.train(train, reporter=StopAfter())
    (run,) = bench.workspace.runs.iterdir()
    bench.resume(run)
    assert losses(run) == wanted
    events, _ = read_events(bench.workspace.jobs / read_record(run)["job"] / "events.jsonl")
    assert {one["learning_rate"] for one in events if one["kind"] == "metrics"} == {0.01}
    for path in (bench.root / "straight" / "model").glob("*.safetensors"):
        assert (run / "model" / path.name).read_bytes() == path.read_bytes()


def test_the_plan_shows_the_rates(bench: Any) -> None:
    shown = bench.prepare(FULL).plan["layer_rates"]
    assert shown == "embedding ×0.125, layers ×0.25 to ×0.5, head ×1"
