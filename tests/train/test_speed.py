"""Levers of speed: equal numbers, and what is told of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.train.test_trl_bridge import build, one_step, trained
from train.environment import Device
from train.plan.settings import Decided
from train.run import _quiet_libraries
from train.speed import demand_levers, told
from workspace.errors import UsageError, WorkError

LORA = {"adapter": {"kind": "lora", "r": 4}}
WITHIN = {"atol": 1e-6, "rtol": 1e-4}


@pytest.mark.parametrize(
    ("kept", "is_recomputed"), [("full", True), ("selective", True), ("off", False)]
)
def test_computing_activations_again_gives_the_same_gradients(
    bench: Any, kept: str, is_recomputed: bool
) -> None:
    import torch

    plain = build(bench, LORA)
    again = build(bench, {**LORA, "speed": {"checkpointing": kept}})
    forwards = []
    layer = again.model.get_base_model().model.layers[0].mlp
    layer.register_forward_pre_hook(lambda *_: forwards.append(1))
    if again.args.gradient_checkpointing:  # as `train` begins
        with _quiet_libraries():
            again.model.gradient_checkpointing_enable(again.args.gradient_checkpointing_kwargs)
    wanted = one_step(plain)
    assert float(one_step(again)) == pytest.approx(float(wanted), abs=1e-6)
    assert len(forwards) == again.args.gradient_accumulation_steps * (2 if is_recomputed else 1)
    for one, other in zip(trained(again.model), trained(plain.model), strict=True):
        torch.testing.assert_close(one.grad, other.grad, **WITHIN)


@pytest.mark.parametrize(
    "speed",
    [
        {"fused": "off"},
        pytest.param({"attention": "eager"}, marks=pytest.mark.slow),
        pytest.param({"attention": "sdpa", "checkpointing": "full"}, marks=pytest.mark.slow),
        {"checkpointing": "selective"},
    ],
    ids=["not fused", "eager", "checkpointing", "selective checkpointing"],
)
def test_a_run_with_a_lever_has_the_losses_of_one_without(
    bench: Any, losses: Any, speed: dict[str, Any]
) -> None:
    train = {**LORA, "steps": 4}
    assert losses(bench.train({**train, "speed": speed})) == pytest.approx(
        losses(bench.train(train)), abs=1e-5
    )


def test_the_plan_of_the_run_says_what_was_chosen_and_why(bench: Any) -> None:
    plan = bench.prepare({"packing": "bfd", "speed": {"checkpointing": "full"}}).plan
    levers = json.loads(json.dumps(plan.as_dict()))["levers"]
    assert levers["packing"] == {"value": "bfd", "reason": "recipe"}
    assert levers["checkpointing"]["value"] == "full" and levers["compile"]["value"] == "off"
    assert told(plan.levers) == ["levers: packing bfd, checkpointing full"]
    assert any("without flash attention" in warning for warning in plan.warnings)
    assert told(bench.prepare().plan.levers) == []


def test_a_plan_for_a_gpu_does_not_fall_back_to_the_cpu() -> None:
    names = ("attention", "kernels", "offload")
    off = {name: Decided("off", "") for name in names}
    cpu = Device("cpu", "float32", "float32", 1, "no driver")
    demand_levers(off, cpu)
    for lever in (
        {"attention": Decided("kernels-community/flash-attn2", "")},
        {"offload": Decided("on", "")},
    ):
        demand_levers({**off, **lever}, Device("cuda", "bfloat16", "bfloat16", 1, ""))
        with pytest.raises(WorkError, match="need the GPU"):
            demand_levers({**off, **lever}, cpu)


def test_flash_attention_without_a_gpu_is_refused_before_rows_are_read(bench: Any) -> None:
    with pytest.raises(UsageError, match="flash attention cannot be used here") as caught:
        bench.train({"speed": {"attention": "flash"}})
    assert caught.value.where == "train.speed.attention"
    assert not bench.workspace.runs.exists()
