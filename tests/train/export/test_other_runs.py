"""Reward models, runs that trained all weights, 4-bit adapters; and the command line."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evalsuite.models import ModelSource
from tests.train.conftest import chats
from tests.train.shipping import Yard, train
from train.export.base import Artefact, Options
from train.export.card import _front_matter, _identity
from train.export.facts import contamination, data_of
from train.export.hub import HubExporter
from train.export.parity import Gap, decide
from train.export.regate import needs_gate
from train.export.shipment import Shipment, refuse_reward
from workspace.errors import UsageError
from workspace.layout import Workspace


def test_a_reward_model_is_exported_and_cannot_be_talked_to(
    tmp_path: Path, tiny_model: Path
) -> None:
    import torch

    from evalsuite.models.load import load_reward_model

    root = tmp_path / "workspace"
    rows = [
        {"id": row["id"], "prompt": row["messages"][:1], "chosen": row["messages"][1:],
         "rejected": [{"role": "assistant", "content": "no"}], "meta": row["meta"]}
        for row in chats(24)
    ]  # fmt: skip
    dataset = root / "datasets" / "pairs" / "11112222"
    dataset.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows), dataset / "train.parquet")
    (dataset / "ledger.json").write_text(json.dumps({"schema_version": 1}))
    (dataset.parent / "current").symlink_to(dataset.name)
    settings = {"method": "reward", "dataset": "pairs", "steps": 3, "adapter": {"kind": "full"}}
    yard = Yard(root, train(root, tiny_model, settings))
    done = yard.export("merged", tmp_path / "m")
    assert done.standing.status == "not applicable" and done.parity.status == "pass"
    assert load_reward_model(tmp_path / "m", dtype="bfloat16").dtype == torch.bfloat16
    card = (tmp_path / "m" / "README.md").read_text()
    assert "text-classification" in card and "**No gate applies.**" in card
    for target in ("adapter", "gguf", "ollama"):
        with pytest.raises(UsageError):
            yard.export(target, tmp_path / target)
    with pytest.raises(UsageError, match="reward model cannot be talked to"):
        refuse_reward(yard.open(), what="be talked to")


def test_a_run_of_all_weights_is_exported_whole(tmp_path: Path, tiny_model: Path) -> None:
    root = tmp_path / "workspace"
    root.mkdir()
    yard = Yard(root, train(root, tiny_model, {"adapter": {"kind": "full"}, "steps": 4}))
    with pytest.raises(UsageError, match="no adapter"):
        yard.export("adapter", tmp_path / "a", override="x")
    done = yard.export("merged", tmp_path / "m", override="x")
    assert done.parity.status == "pass" and done.parity.artefact.kl_mean < 1e-3


@pytest.fixture
def going_on(tmp_path: Path) -> Any:
    """A run that goes on from another, as far as a card tells of it, on a part of a dataset."""
    root = tmp_path / "workspace"
    whole, part = root / "datasets/toy/aaaa", root / "runs/whole/groups/ada"
    for place in (whole, part):
        place.mkdir(parents=True)
    (whole / "ledger.json").write_text(json.dumps({"steps": [{"step": "decontaminate"}]}))
    steps = [{"decontaminate": {"suites": ["gain"]}}]
    (whole / "recipe.yaml").write_text(json.dumps({"curate": {"steps": steps}}))
    (part / "ledger.json").write_text(json.dumps({"part_of": str(whole)}))
    plans = {
        "first": [("train", "toy/1111", 30), ("replay", "general/2222", 10)],
        "last": [("train", str(part), 8)],
    }
    for name, sources in plans.items():
        (root / "runs" / name).mkdir(parents=True)
        shown = [
            {"role": role, "path": path, "digest": "d", "rows": rows, "rows_seen": rows}
            for role, path, rows in sources
        ]
        (root / "runs" / name / "plan.json").write_text(json.dumps({"sources": shown}))
    chain = [
        {"run": "gone", "dataset": "old/3333", "dataset_digest": "e", "weights_digest": "w"},
        {"run": "first", "dataset": "toy/1111", "dataset_digest": "d", "weights_digest": "w"},
    ]
    base = {"name": "owner/base", "path": "/x", "digest": "b" * 64, "revision": "abc"}
    record = {"method": "sft", "adapter": "lora", "begins": {"root": base, "chain": chain}}
    source = ModelSource("first", root / "runs/last/start", "s" * 64)
    subject: Any = SimpleNamespace(kind="adapter", digest="t" * 64, quantization=None)
    tokenizer: Any = SimpleNamespace(template_digest="c", stop_texts=())
    home = Workspace(root)
    return Shipment(home.runs / "last", record, subject, source, tokenizer, home)


def test_the_card_tells_all_that_a_chain_of_runs_learnt_from(going_on: Shipment) -> None:
    uses = data_of(going_on)
    assert [(one.run, one.role, one.name, one.rows) for one in uses] == [
        ("gone", "train", "old/3333", 0),
        ("first", "train", "toy/1111", 30),
        ("first", "replay", "general/2222", 10),
        ("", "train", "groups/ada", 8),
    ]
    assert "compared with the items of gain" in contamination(uses, ["gain"])[-1]
    artefact: Any = SimpleNamespace(quantized_as="", precision="bfloat16")
    told = dict(_identity(going_on, artefact, "merged"))
    assert told["base"] == "owner/base at abc" and told["base, SHA-256"] == "b" * 64
    assert told["goes on from"] == "gone → first"
    assert told["what it began with, SHA-256"] == "s" * 64
    assert _front_matter(going_on, "merged")["base_model"] == "owner/base"
    assert "base_model" not in _front_matter(going_on, "adapter")


def test_an_adapter_that_fits_no_base_of_the_hub_is_not_pushed(going_on: Shipment) -> None:
    with pytest.raises(UsageError, match="nobody else could load") as caught:
        HubExporter().check(going_on, Options(out="me/triage"))
    assert caught.value.cure == "Push the whole model: --push merged"


def test_where_the_precision_changed_the_gate_is_run_again_on_the_artefact(
    yard: Any, tmp_path: Path
) -> None:
    suites = {}
    for name, purpose in (("gain", "target"), ("keep", "retention")):
        path = tmp_path / f"{name}.yaml"
        path.write_text(
            f"schema_version: 1\nname: {name}\npurpose: {purpose}\nmargin: 0.5\nmin_items: 5\n"
            f"tasks:\n  - {{name: {name}, kind: generation, data: items.jsonl, scorer: contains,\n"
            '     prompt: "{{ q }}", gold: "{{ a }}", max_new_tokens: 4}\n'
        )
        suites[name] = str(path)
    rows = [{"id": f"{n}", "q": f"train: card {n}", "a": "card"} for n in range(8)]
    (tmp_path / "items.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    yard.judge("pass", dtype="nf4 (other weights bfloat16)", paths=suites)
    said: list[str] = []
    done = yard.export("merged", tmp_path / "m", override="x", note=said.append)
    assert done.standing.passed and any("running the gate" in line for line in said)
    evaluations = sorted(
        path.name for path in yard.workspace.evals.iterdir() if path.name[0] != "."
    )
    card = (tmp_path / "m" / "README.md").read_text()
    assert "the gate was run again on what is exported here" in card
    assert any(name in card for name in evaluations if "exported" in name)


@pytest.mark.parametrize(
    ("weights", "quantized_as", "dtype", "is_needed"),
    [
        ("model.gguf", "", "nf4 (other weights bfloat16)", True),
        ("", "", "nf4 (other weights bfloat16)", True),
        ("model.gguf", "", "bfloat16", False),
        ("model.gguf", "q8_0", "bfloat16", True),
    ],
)
def test_the_gate_is_run_again_where_the_precision_changed(
    tmp_path: Path, weights: str, quantized_as: str, dtype: str, is_needed: bool
) -> None:
    if weights:
        (tmp_path / weights).write_bytes(b"")
    path = tmp_path / weights
    artefact = Artefact("bfloat16", None, tmp_path, path, "", quantized_as=quantized_as)
    shipment: Any = SimpleNamespace(is_reward=False)
    judged = SimpleNamespace(model=SimpleNamespace(dtype=dtype))
    standing: Any = SimpleNamespace(judged=(judged,))

    assert needs_gate(shipment, standing, artefact) is is_needed


NOISE = Gap(1000, 1e-4, 1e-2, 3)


@pytest.mark.parametrize(
    ("artefact", "status"),
    [
        (Gap(1000, 2e-4, 1e-2, 6), "pass"),
        (Gap(1000, 4e-4, 1e-2, 6), "fail"),
        (Gap(1000, 1e-4, 1e-2, 12), "fail"),
        (Gap(1000, float("nan"), 1e-2, 0), "fail"),
    ],
)
def test_the_rule_of_parity(artefact: Gap, status: str) -> None:
    assert decide((), NOISE, artefact, Gap(1000, 1.0, 9.0, 500))[0] == status


def test_a_quantised_file_fails_only_where_what_was_learnt_is_lost() -> None:
    effect = Gap(1000, 0.5, 9.0, 500)
    near, far = Gap(1000, 0.02, 1.0, 40), Gap(1000, 0.6, 9.0, 500)
    assert decide((), NOISE, near, effect, changes_precision=True)[0] == "pass"
    assert decide((), NOISE, far, effect, changes_precision=True)[0] == "fail"
    assert decide(("a",), NOISE, near, effect, changes_precision=True)[0] == "fail"


def test_a_tune_that_drowns_in_the_noise_is_told() -> None:
    _, _, notes = decide((), NOISE, Gap(1000, 1e-4, 1e-2, 3), Gap(1000, 2e-4, 1e-2, 5))
    assert "may be rounded away" in notes[0]
