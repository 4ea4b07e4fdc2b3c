"""What trl does with what it is given: losses, gradients, batches."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from workspace.errors import LimitExceeded
from workspace.jobs import run_job

GOLDEN = Path(__file__).with_name("golden_losses.json")
LORA = {"adapter": {"kind": "lora", "r": 4, "trainable_tokens": ["<|im_end|>", "card"]}}
FULL = {"adapter": {"kind": "full"}, "tempering": {"replay": {"dataset": "general", "share": 0.5}}}


@pytest.mark.parametrize(("name", "train"), [("lora", LORA), ("full", FULL)])
def test_the_loss_trajectory_is_the_golden_one(
    bench: Any, losses: Callable[[Path], list[float]], name: str, train: dict[str, Any]
) -> None:
    found = losses(bench.train(train))
    assert found == pytest.approx(json.loads(GOLDEN.read_text())[name], abs=1e-5)


def test_training_and_evaluating_load_no_polars(zygote: Any) -> None:
    loaded = zygote.modules()
    assert {"torch", "trl", "evalsuite", "train"} <= loaded
    assert "polars" not in loaded


def build(bench: Any, train: dict[str, Any]) -> Any:
    """Return trl's trainer for a recipe, not yet run."""
    from transformers import AutoTokenizer

    from evalsuite.models.load import load_model
    from train.checkpoints import CheckpointStore
    from train.run import _quiet_libraries
    from train.trl_bridge import FitRequest, build_trainer

    prepared = bench.prepare(train)
    with run_job(bench.workspace, "train", ["test"]) as job, _quiet_libraries():
        model = load_model(bench.model)
        store = CheckpointStore(bench.root / "checkpoints", keep=1)
        request = FitRequest(prepared, store, job, 0, "cpu", "float32", lambda report: None)
        return build_trainer(model, AutoTokenizer.from_pretrained(bench.model), request)


@pytest.mark.parametrize("train", [LORA, FULL], ids=["lora", "full"])
def test_the_loss_is_the_cross_entropy_of_the_assistants_tokens(
    bench: Any, train: dict[str, Any]
) -> None:
    """Also with trained rows of a tied output matrix, which trl's fused head reads as a weight."""
    import torch

    trainer = build(bench, train)
    model, prepared = trainer.model, trainer.request.prepared
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():  # adapters begin at zero: make them count
            if parameter.requires_grad:
                parameter.add_(0.05 * torch.randn_like(parameter))
    total, count = torch.tensor(0.0), 0
    for index in prepared.schedule.batch(0):
        row = prepared.rows[index]
        ids = torch.tensor(row.input_ids[None].astype("int64"))
        logits = model(input_ids=ids).logits[0, :-1]
        wanted = torch.tensor(row.loss_mask[1:])
        total = total + torch.nn.functional.cross_entropy(
            logits[wanted], ids[0, 1:][wanted], reduction="sum"
        )
        count += int(wanted.sum())
    by_hand = total / count
    wanted_gradients = torch.autograd.grad(by_hand, trained(model))

    loss = one_step(trainer)
    assert float(loss) == pytest.approx(float(by_hand.detach()), abs=1e-5)
    for parameter, wanted in zip(trained(model), wanted_gradients, strict=True):
        torch.testing.assert_close(parameter.grad, wanted, atol=1e-5, rtol=1e-4)


def trained(model: Any) -> list[Any]:
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def one_step(trainer: Any) -> Any:
    """Run the forward and backward passes of the first step, without the optimiser."""
    model = trainer.model
    batches = list(trainer.get_train_dataloader())
    accumulation = trainer.args.gradient_accumulation_steps
    trainer.current_gradient_accumulation_steps = accumulation
    items = trainer._get_num_items_in_batch(batches[:accumulation], trainer.args.device)
    model.zero_grad()
    return sum(trainer.training_step(model, batch, items) for batch in batches[:accumulation])


@pytest.mark.parametrize("micro", [1, 2, 4])
def test_accumulation_gives_the_gradients_of_the_whole_batch(bench: Any, micro: int) -> None:
    import torch

    whole = build(bench, {**LORA, "micro_batch_size": 8})
    parts = build(bench, {**LORA, "micro_batch_size": micro})
    assert float(one_step(parts)) == pytest.approx(float(one_step(whole)), abs=1e-5)
    for one, other in zip(trained(parts.model), trained(whole.model), strict=True):
        torch.testing.assert_close(one.grad, other.grad, atol=1e-6, rtol=1e-4)


def test_the_collated_batches_are_the_plans_rows_and_masks(bench: Any) -> None:
    trainer = build(
        bench,
        {"micro_batch_size": 4, "tempering": {"replay": {"dataset": "general", "share": 0.25}}},
    )
    prepared = trainer.request.prepared
    batches = list(trainer.get_train_dataloader())
    planned = [
        micro
        for step in range(prepared.plan.steps)
        for micro in prepared.schedule.micro_batches(step)
    ]
    assert len(batches) == len(planned) == 12
    for batch, indices in zip(batches, planned, strict=True):
        for position, index in enumerate(indices):
            row = prepared.rows[index]
            assert batch["input_ids"][position, : row.tokens].tolist() == row.input_ids.tolist()
            labels = batch["labels"][position]
            assert (labels != -100).tolist()[: row.tokens] == row.loss_mask.tolist()
            assert (labels[row.tokens :] == -100).all()
            assert batch["attention_mask"][position].sum() == row.tokens


def test_a_batch_that_is_not_the_planned_one_stops_the_run(bench: Any) -> None:
    trainer = build(bench, {})
    batch = next(iter(trainer.get_train_dataloader()))
    batch["labels"][0, 0] = 5
    with pytest.raises(LimitExceeded, match="not the planned one"):
        trainer.training_step(trainer.model, batch, 10)


def test_a_loss_that_is_not_finite_stops_the_run_and_leaves_no_checkpoint_of_it(
    bench: Any,
) -> None:
    with pytest.raises(LimitExceeded, match="is not a finite number") as caught:
        bench.train(
            {
                "adapter": {"kind": "full"},
                "learning_rate": 0.99,
                "max_grad_norm": 1e20,
                "steps": 400,
                "weight_decay": 1e18,
                "schedule": "constant",
            }
        )
    assert "Lower train.learning_rate" in caught.value.cure
    (run,) = bench.workspace.runs.iterdir()
    assert not (run / "model").exists()
