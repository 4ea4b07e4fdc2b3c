"""A whole run: what it writes."""

from __future__ import annotations

import json
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from train.checkpoints import fault_of
from train.reporter import Silent
from workspace.errors import LimitExceeded, Stopped
from workspace.jobs import read_job


def test_a_lora_run_writes_everything_and_its_adapter_loads(bench: Any) -> None:
    import torch

    from evalsuite.models.load import load_adapter, load_model

    run = bench.train(
        {
            "tempering": {"replay": {"dataset": "general", "share": 0.25}},
            "adapter": {"kind": "lora", "r": 4, "trainable_tokens": ["<|im_end|>"]},
        }
    )
    names = {path.name for path in run.iterdir()}
    assert names >= {"run.json", "recipe.yaml", "plan.json", "env.json", "ledger.json"}
    assert names >= {"proof.json", "batches.parquet", "model"}
    record = json.loads((run / "run.json").read_text())
    assert record["adapter"] == "lora" and record["eos_ids"] == [2] and record["steps"] == 6
    job = read_job(bench.workspace.jobs / record["job"])
    assert job.state == "finished" and job.result == f"runs/{run.name}"
    assert fault_of(run / "model") is None
    assert not list((run / "model").glob("*.bin")) and not (run / "model/README.md").exists()
    assert (run / "model/tokenizer.json").read_bytes() == (
        bench.model / "tokenizer.json"
    ).read_bytes()
    ids = torch.tensor([[1, 20, 30, 2]])
    base = load_model(bench.model)
    before = base(input_ids=ids).logits
    tuned = load_adapter(base, run / "model")
    assert not torch.equal(tuned(input_ids=ids).logits, before)
    with tuned.disable_adapter():
        assert torch.equal(tuned(input_ids=ids).logits, before)


def test_a_full_run_writes_a_whole_model_with_the_bases_stop_tokens(bench: Any) -> None:
    from evalsuite.models import ChatTokenizer
    from evalsuite.models.load import load_model

    run = bench.train({"adapter": {"kind": "full"}})
    load_model(run / "model")
    tuned, base = ChatTokenizer.from_dir(run / "model"), ChatTokenizer.from_dir(bench.model)
    assert tuned.eos_ids == base.eos_ids and tuned.digest == base.digest
    saved = json.loads((run / "model/config.json").read_text())
    original = json.loads((bench.model / "config.json").read_text())
    for name in ("bos_token_id", "eos_token_id", "pad_token_id"):
        assert saved.get(name) == original.get(name)


def test_batches_record_every_row_of_every_step(bench: Any) -> None:
    run = bench.train(
        {"tempering": {"replay": {"dataset": "general", "share": 0.25}}, "micro_batch_size": 4}
    )
    batches = pq.read_table(run / "batches.parquet").to_pylist()
    assert Counter(row["step"] for row in batches) == {step: 8 for step in range(1, 7)}
    assert {(row["micro_batch"], row["position"]) for row in batches if row["step"] == 1} == {
        (micro, position) for micro in range(2) for position in range(4)
    }
    replayed = [row for row in batches if row["role"] == "replay"]
    assert len(replayed) == 12
    assert all(row["row_id"].startswith("replay-") for row in replayed)
    assert all(row["source"] in ("replay-0.jsonl", "replay-1.jsonl") for row in replayed)


def test_events_tell_every_step(bench: Any) -> None:
    run = bench.train()
    record = json.loads((run / "run.json").read_text())
    lines = (bench.workspace.jobs / record["job"] / "events.jsonl").read_text().splitlines()
    metrics = [event for event in map(json.loads, lines) if event["kind"] == "metrics"]
    assert [event["step"] for event in metrics] == [1, 2, 3, 4, 5, 6]
    first = metrics[0]
    assert first["max_steps"] == 6 and first["attempt"] == 1 and first["learning_rate"] == 0.01
    assert first["tokens_per_second"] > 0 and first["grad_norm"] > 0


def test_a_run_that_learns_lowers_the_loss(bench: Any, losses: Any) -> None:
    found = losses(bench.train({"steps": 40, "adapter": {"kind": "full"}}))
    assert found[-1] < found[0] - 2


def test_a_failed_proof_stops_the_run_with_its_record(bench: Any) -> None:
    rows = bench.chats(30)
    rows[1]["messages"][1]["content"] = "card<|im_end|>late"
    bench.dataset("toy", rows)
    with pytest.raises(LimitExceeded, match="mask proof failed"):
        bench.train()
    (run,) = bench.workspace.runs.iterdir()
    proof = json.loads((run / "proof.json").read_text())
    assert proof["passed"] is False and proof["faults"][0]["row_id"] == "train-1"
    assert not (run / "model").exists()


def test_nothing_is_left_of_a_run_that_could_not_begin(bench: Any) -> None:
    with pytest.raises(LimitExceeded):
        bench.train({"max_length": 8})
    assert not bench.workspace.runs.exists()


def test_a_signal_while_rows_are_tokenised_stops_before_anything_is_written(bench: Any) -> None:
    told: list[tuple[str, int]] = []

    class Interrupting(Silent):
        def working(self, what: str, done: int, total: int) -> None:
            told.append((what, done))
            if len(told) == 1:
                signal.raise_signal(signal.SIGINT)

    bench.dataset("toy", bench.chats(1200))
    with pytest.raises(Stopped) as caught:
        bench.train(reporter=Interrupting())
    assert caught.value.exit_code == 130
    assert told == [("tokenising train", 0)]
    assert not bench.workspace.runs.exists()


def test_the_recipe_in_the_run_says_where_each_value_is_from(bench: Any) -> None:
    run: Path = bench.train()
    text = (run / "recipe.yaml").read_text()
    assert "learning_rate: 0.01 # temper.yaml" in text.replace("  #", " #")
    assert "batch_size: 8" in text and "# default" in text
