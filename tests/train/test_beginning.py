"""`train.from`: a run that goes on from an earlier one's result."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from train.data import read_dataset
from train.record import read_record

SHORT = {"steps": 2, "adapter": {"kind": "lora", "r": 4}, "max_length": 64}


@pytest.fixture(scope="module")
def chain(tiny_model: Path, make_bench: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Three runs, each from the one before; read only."""
    bench = make_bench(tmp_path_factory.mktemp("chain"), tiny_model)
    bench.dataset("second", bench.chats(30, kind="second"))
    first = bench.train(SHORT, name="first")
    second = bench.train(
        {
            **SHORT,
            "dataset": "second",
            "from": first.name,
            "tempering": {"replay": {"share": 0.25}},
        },
        name="second",
    )
    third = bench.train(
        {
            **SHORT,
            "from": "second",
            "adapter": {"kind": "full"},
            "tempering": {"replay": {"share": 0}},
        },
        name="third",
    )
    return bench, first, second, third


def test_it_begins_with_the_merged_result(chain: Any) -> None:
    import torch

    from evalsuite.models.load import load_adapter, load_model

    bench, first, second, _ = chain
    ids = torch.arange(3, 40)[None]
    with torch.no_grad():
        tuned = load_adapter(load_model(bench.model), first / "model")(ids).logits
        start = load_model(second / "start")(ids).logits
        untouched = load_model(bench.model)(ids).logits
    assert float((tuned - start).abs().max()) < 1e-5 < float((untouched - start).abs().max())


def test_its_record_names_the_whole_chain_and_the_one_base(chain: Any) -> None:
    bench, first, second, third = chain
    records = [read_record(run) for run in (first, second, third)]
    assert "begins" not in records[0]
    assert records[1]["base"]["path"] == str(second / "start")
    begins = records[2]["begins"]
    assert [link["run"] for link in begins["chain"]] == [first.name, second.name]
    assert begins["root"] == records[0]["base"] and begins["root"]["path"] == str(bench.model)
    for link, run in zip(begins["chain"], (first, second), strict=True):
        rows = Path(link["dataset"])
        digest = read_dataset(rows, "train", accepts=["messages"], method="sft").digest
        assert link["dataset_digest"] == digest
        assert json.loads((run / "plan.json").read_text())["sources"][0]["digest"] == digest
    assert records[1]["begins"]["how"] == "merged" and begins["replayed"] is None
