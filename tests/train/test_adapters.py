"""Every way to adapt: counted before, learnt, published, loaded again, switched off."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from workspace.jobs import run_job

IDS = [[1, 20, 30, 2, 40, 7]]
LORA = {"kind": "lora", "r": 4}
TUNERS: dict[str, tuple[dict[str, Any], float, float]] = {
    # options, learning rate, by how much the loss falls at least (it begins at 5.8)
    "IA3": ({}, 0.1, 0.5),
    "OFT": ({"oft_block_size": 8, "r": 0}, 0.02, 1.0),
    "VERA": ({"r": 32}, 0.1, 1.0),
    "SHIRA": ({"r": 4}, 0.02, 1.0),
    "ADALORA": ({"init_r": 6, "target_r": 3, "tinit": 2, "tfinal": 4}, 0.05, 0.5),
    "OSF": ({"effective_rank": 8}, 0.02, 1.0),
    "LOHA": ({"r": 4}, 0.05, 1.0),
    "LOKR": ({"r": 4}, 0.05, 1.0),
    "BOFT": ({"boft_block_size": 4}, 0.02, 1.0),
    "FOURIERFT": ({"n_frequency": 200, "scaling": 100.0}, 0.05, 1.0),
    "HRA": ({"r": 4}, 0.02, 1.0),
    "MISS": ({"r": 8}, 0.02, 1.0),
    "LN_TUNING": ({}, 0.1, 0.5),
}
LORAS: dict[str, dict[str, Any]] = {
    "dora": {"dora": True},
    "rslora": {"rslora": True, "alpha": 4},
    "gaussian": {"init": "gaussian"},
    "pissa": {"init": "pissa", "trainable_tokens": ["card"], "modules_to_save": ["norm"]},
    "pissa fast": {"init": "pissa_fast"},
    "pissa rslora": {
        "init": "pissa",
        "rslora": True,
        "rank_pattern": {"q_proj": 2},
        "alpha_pattern": {"v_proj": 3},
    },
    "olora": {"init": "olora"},
    "olora dora": {"init": "olora", "dora": True},
    "some layers": {"layers": {"last": 1}, "exclude": ["down_proj"]},
    "patterns": {"rank_pattern": {"layers.0.*q_proj": 8}, "alpha_pattern": {"up_proj": 16}},
    "whole modules": {"modules_to_save": ["layers.1.mlp.gate_proj", "norm"]},
}


def build(bench: Any, train: dict[str, Any]) -> Any:
    """Return trl's trainer for a recipe, not yet run."""
    from transformers import AutoTokenizer, set_seed

    from evalsuite.models.load import load_model
    from train.checkpoints import CheckpointStore
    from train.run import _quiet_libraries
    from train.trl_bridge import FitRequest, build_trainer

    prepared = bench.prepare(train)
    with run_job(bench.workspace, "train", ["test"]) as job, _quiet_libraries():
        set_seed(0)
        section = prepared.plan.adapter_section
        model = load_model(bench.model, quantization=section.quantization)
        store = CheckpointStore(bench.root / "checkpoints", keep=1)
        request = FitRequest(prepared, store, job, 0, "cpu", "float32", lambda report: None)
        return build_trainer(model, AutoTokenizer.from_pretrained(bench.model), request)


def logits(model: Any) -> Any:
    import torch

    with torch.no_grad():
        return model.eval()(input_ids=torch.tensor(IDS)).logits


def loss(model: Any, prepared: Any) -> float:
    """Cross-entropy of what the assistant wrote, over all rows."""
    import torch

    total, count = 0.0, 0
    model.eval()
    for row in prepared.rows:
        ids = torch.tensor(row.input_ids[None].astype("int64"))
        wanted = torch.tensor(row.loss_mask[1:])
        with torch.no_grad():
            found = model(input_ids=ids).logits[0, :-1][wanted]
        total += float(
            torch.nn.functional.cross_entropy(found, ids[0, 1:][wanted], reduction="sum")
        )
        count += int(wanted.sum())
    return total / count


def learn(bench: Any, adapter: dict[str, Any], **train: Any) -> tuple[Any, Any, Path]:
    """Train; return the base as it was, the trained model in memory, and what was published."""
    from evalsuite.models.load import load_model
    from train.adapters import Split, publishable, trainable_parameters
    from train.publish import publish_model
    from train.run import _quiet_libraries
    from train.trl_bridge import fit

    trainer = build(bench, {"steps": 20, "adapter": adapter, **train})
    plan = trainer.request.prepared.plan
    assert trainable_parameters(trainer.model) == plan.trainable_parameters
    section = plan.adapter_section
    base = load_model(bench.model, quantization=section.quantization)
    split = Split.of(trainer.model) if section.splits_weights else None
    with _quiet_libraries():
        fit(trainer)
        target = bench.root / "published"
        publish_model(target, publishable(trainer.model, split), bench.model)
    return base, trainer, target


def check(bench: Any, adapter: dict[str, Any], fall: float, **train: Any) -> Any:
    """It learns by `fall`; what is published is what was trained; switched off it is the base."""
    import torch

    from evalsuite.models.load import load_adapter

    base, trainer, published = learn(bench, adapter, **train)
    prepared = trainer.request.prepared
    before, untouched = loss(base, prepared), logits(base)
    tuned = load_adapter(base, published)
    torch.testing.assert_close(logits(tuned), logits(trainer.model), atol=2e-5, rtol=1e-4)
    with tuned.disable_adapter():
        assert torch.equal(logits(tuned), untouched)
    assert before - loss(tuned, prepared) >= fall
    assert torch.equal(logits(tuned.unload()), untouched)
    return trainer


@pytest.mark.parametrize("name", LORAS)
def test_a_variant_of_lora_learns_and_is_published_for_the_untouched_base(
    bench: Any, name: str
) -> None:
    check(bench, {**LORA, **LORAS[name]}, 1.0)


@pytest.mark.parametrize("name", TUNERS)
def test_a_tuner_of_peft_learns_and_is_published(bench: Any, name: str) -> None:
    options, rate, fall = TUNERS[name]
    check(bench, {"kind": "peft", "tuner": name, "options": options}, fall, learning_rate=rate)
