"""Packed rows learn what single rows learn."""

from __future__ import annotations

import json
import re
import shutil
import signal
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from ruamel.yaml import YAML

from tests.train.test_trl_bridge import build, one_step, trained
from train.reporter import Silent
from workspace.errors import LimitExceeded, ModelError, RecipeError, Stopped

BASE = {
    "adapter": {"kind": "lora", "r": 4, "trainable_tokens": ["<|im_end|>"]},
    "tempering": {"replay": {"dataset": "general", "share": 0.25}},
    "batch_size": 12,
    "steps": 4,
}
LAYOUTS: dict[str, dict[str, Any]] = {
    "packed": {"packing": "bfd"},
    "packed, one at once": {"packing": "bfd", "micro_batch_size": 1},
    "packed and flat": {"packing": "bfd", "padding_free": "on", "micro_batch_size": 2},
    "flat": {"padding_free": "on", "micro_batch_size": 4},
    "packed, written-out attention": {"packing": "bfd", "speed": {"attention": "eager"}},
}

FAST = ("packed", "packed and flat")
"""Layouts whose whole runs are in the fast tests; of the others, the gradients are."""


@pytest.fixture(scope="module")
def plain(
    tmp_path_factory: pytest.TempPathFactory, tiny_model: Path, make_bench: Any
) -> tuple[list[float], set[Any]]:
    """Losses without packing, and which row is in which step."""
    from train.record import read_record
    from workspace.events import last_attempts, read_events

    bench = make_bench(tmp_path_factory.mktemp("plain"), tiny_model)
    run = bench.train(BASE)
    events, _ = read_events(bench.workspace.jobs / read_record(run)["job"] / "events.jsonl")
    return [event["loss"] for event in last_attempts(events)], steps_of(run)


def steps_of(run: Path) -> set[Any]:
    """Return each row with its step and role."""
    table = pq.read_table(run / "batches.parquet").to_pylist()
    return {(row["step"], row["row_id"], row["role"]) for row in table}


@pytest.mark.parametrize(
    "layout",
    [
        pytest.param(layout, marks=() if name in FAST else pytest.mark.slow, id=name)
        for name, layout in LAYOUTS.items()
    ],
)
def test_the_losses_and_the_rows_of_each_step_are_those_without_packing(
    bench: Any,
    losses: Callable[[Path], list[float]],
    plain: tuple[list[float], set[Any]],
    layout: dict[str, Any],
) -> None:
    run = bench.train({**BASE, **layout})
    assert losses(run) == pytest.approx(plain[0], abs=1e-5)
    assert steps_of(run) == plain[1]


@pytest.mark.parametrize("layout", ["packed", "packed and flat", "flat"])
def test_the_gradients_are_those_of_rows_by_themselves(bench: Any, layout: str) -> None:
    import torch

    alone = build(bench, {**BASE, "micro_batch_size": 1})
    packed = build(bench, {**BASE, **LAYOUTS[layout]})
    assert float(one_step(packed)) == pytest.approx(float(one_step(alone)), abs=1e-5)
    for one, other in zip(trained(packed.model), trained(alone.model), strict=True):
        torch.testing.assert_close(one.grad, other.grad, atol=1e-6, rtol=1e-4)


def test_plain_texts_do_not_predict_the_beginning_of_the_next(bench: Any) -> None:
    bench.dataset("toy", [{"id": str(n), "text": "card late " * (n + 1)} for n in range(8)])
    plain = build(bench, {"micro_batch_size": 1})
    packed = build(bench, {"packing": "bfd"})
    assert float(one_step(packed)) == pytest.approx(float(one_step(plain)), abs=1e-5)


def test_batches_record_the_sequence_of_every_row(bench: Any) -> None:
    run = bench.train({**BASE, "packing": "bfd", "micro_batch_size": 2, "max_length": 64})
    rows = pq.read_table(run / "batches.parquet").to_pylist()
    assert Counter(row["step"] for row in rows) == dict.fromkeys(range(1, 5), 12)
    assert all(Counter(r["role"] for r in rows if r["step"] == s)["replay"] == 3 for s in (1, 4))
    filled: Counter[Any] = Counter()
    for row in rows:
        filled[row["step"], row["micro_batch"], row["sequence"]] += row["tokens"]
    assert max(filled.values()) <= 64
    assert len(filled) < len(rows) and {key[2] for key in filled} == {0, 1}
    for step in range(1, 5):
        places = [row["position"] for row in rows if (row["step"], row["micro_batch"]) == (step, 0)]
        assert places == list(range(len(places)))


def test_the_ledger_says_what_packing_saves_by_source(bench: Any) -> None:
    prepared = bench.prepare({**BASE, "packing": "bfd", "micro_batch_size": 4})
    document = prepared.ledger.as_dict()["packing"]
    total = document["total"]
    assert total["rows"] == 48 and total["tokens"] == prepared.plan.tokens_seen
    assert total["padding_saved"] == total["padding_unpacked"] - total["padding"] > 0
    for name in total:
        assert sum(source[name] for source in document["sources"]) == total[name]
    assert {source["role"] for source in document["sources"]} == {"train", "replay"}
    share = total["padding"] / (total["padding"] + total["tokens"])
    assert prepared.plan.padding_share == pytest.approx(share, abs=1e-4)
    flat = bench.prepare({**BASE, "packing": "bfd", "padding_free": "on"})
    assert flat.plan.padding_share == 0
    assert flat.ledger.as_dict()["packing"]["total"]["padding"] == 0
    assert "packing" not in bench.prepare(BASE).ledger.as_dict()


def test_a_packed_run_is_resumed_bit_for_bit(bench: Any, losses: Any) -> None:
    class Stopping(Silent):
        def step(self, report: Any) -> None:
            if report.step == 2:
                signal.raise_signal(signal.SIGTERM)

    train = {
        **BASE,
        "packing": "bfd",
        "adapter": {"kind": "lora", "r": 4, "dropout": 0.1},
        "steps": None,
        "epochs": 1,  # a last step of fewer sequences
    }
    whole = bench.train(train)
    with pytest.raises(Stopped):
        bench.train(train, reporter=Stopping())
    (stopped,) = [run for run in bench.workspace.runs.iterdir() if not (run / "model").exists()]
    resumed = bench.resume(stopped)
    assert losses(resumed) == losses(whole)
    name = "model/adapter_model.safetensors"
    assert (resumed / name).read_bytes() == (whole / name).read_bytes()


def test_a_packed_batch_that_is_not_the_planned_one_stops_the_run(bench: Any) -> None:
    trainer = build(bench, {**BASE, "packing": "bfd"})
    for name, value in (("labels", 5), ("position_ids", 7), ("input_ids", 9)):
        batch = next(iter(trainer.get_train_dataloader()))
        batch[name][0, 1] = value
        with pytest.raises(LimitExceeded, match="not the planned one"):
            trainer.training_step(trainer.model, batch, 10)


@pytest.mark.parametrize("layout", ["packed", "flat"])
def test_rows_that_read_each_other_are_found_before_the_first_step(
    bench: Any, monkeypatch: pytest.MonkeyPatch, layout: str
) -> None:
    from transformers import masking_utils

    from train.trl_bridge import packed

    trainer = build(bench, {**BASE, **LAYOUTS[layout]})
    assert packed.prove_apart(trainer, trainer.request) < 1e-6
    assert trainer.model.training
    # as if transformers no longer made masks from positions
    monkeypatch.setattr(masking_utils, "find_packed_sequence_indices", lambda positions: None)
    with pytest.raises(LimitExceeded, match="read each other"):
        trainer.prove_model()


@pytest.mark.parametrize(
    ("train", "told"),
    [
        ({"packing": "wrapped"}, "bfd"),
        ({"packing": "bfd", "method": "dpo"}, "it is for sft"),
        ({"padding_free": "on", "method": "kto"}, "it is for sft"),
        ({"packing": "bfd", "neftune": 5.0}, "noise"),
        ({"speed": {"checkpointing": "selective"}, "method": "dpo"}, "selective is for sft"),
        ({"speed": {"offload": "on"}, "method": "orpo"}, "no offload"),
        ({"speed": {"compil": "on"}}, "compile"),
    ],
)
def test_a_lever_that_cannot_be_is_refused_with_the_recipe(
    bench: Any, train: dict[str, Any], told: str
) -> None:
    with pytest.raises(RecipeError) as caught:
        bench.recipe(train).section("train", object)
    assert told in str(caught.value)


def test_a_model_that_carries_rows_on_is_not_packed(bench: Any, tmp_path: Path) -> None:
    other = tmp_path / "hybrid"
    shutil.copytree(bench.model, other)
    config = json.loads((other / "config.json").read_text())
    kinds = ["full_attention", "linear_attention"]
    (other / "config.json").write_text(json.dumps({**config, "layer_types": kinds}))
    hybrid = replace(bench, model=other)
    assert "linear_attention" in hybrid.prepare().plan.levers["packing"].reason
    for lever in ({"packing": "bfd"}, {"padding_free": "on"}):
        with pytest.raises(ModelError, match="linear_attention"):
            hybrid.prepare(lever)


def test_the_recipe_of_the_docs_is_packed(bench: Any) -> None:
    text = (Path(__file__).parents[2] / "docs" / "train.md").read_text()
    (block,) = re.findall(r"```yaml\n# packed\.yaml\n(.*?)```", text, re.DOTALL)
    train = YAML(typ="safe").load(block)["train"]
    bench.dataset("chats", bench.chats(30))
    prepared = bench.prepare(train)
    assert prepared.schedule.packs is not None
    assert prepared.plan.levers["checkpointing"].value == "full"
