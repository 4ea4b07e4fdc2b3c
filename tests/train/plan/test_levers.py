"""What `auto` chooses, over a table of machines."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from train.plan.facts import ModelFacts
from train.plan.levers import Question, compile_model, decide
from train.plan.machine import Machine, read_machine
from train.recipe import TrainSection
from workspace.errors import ModelError, UsageError
from workspace.gpus import Gpu

SMALL = ModelFacts(Path("m"), "Llama", 2_000_000, 128, 32, True, (), 320, ())
LARGE = replace(SMALL, parameters=8_000_000_000)
ALL = frozenset({"flash_attn", "kernels", "triton"})
CPU = Machine(has_compiler=True)
T4 = Machine("T4", (7, 5), ALL, True)
A100 = Machine("A100", (8, 0), frozenset({"triton"}), True)
A100_KERNELS = Machine("A100", (8, 0), frozenset({"kernels", "triton"}), True)
H100 = Machine("H100", (9, 0), ALL, True)
FULL: dict[str, Any] = {"adapter": {"kind": "full"}}
HUB = "kernels-community/flash-attn2"


def ask(machine: Machine, facts: ModelFacts = LARGE, **train: Any) -> Question:
    return Question(TrainSection.model_validate(train), facts, machine)


def values(question: Question) -> dict[str, Any]:
    return {name: one.value for name, one in decide(question).items()}


@pytest.mark.parametrize(
    ("machine", "precision", "weights", "attention", "packing", "flat", "checkpointing"),
    [
        (CPU, "float32", "float32", "default", "off", "off", "off"),
        (T4, "float32", "float32", "default", "off", "off", "full"),
        (A100, "bfloat16", "bfloat16", "default", "off", "off", "full"),
        (A100_KERNELS, "bfloat16", "bfloat16", HUB, "bfd", "on", "full"),
        (H100, "bfloat16", "bfloat16", "flash_attention_2", "bfd", "on", "full"),
    ],
    ids=["cpu", "t4", "a100", "a100 with kernels", "h100 with flash-attn"],
)
def test_auto_by_machine(
    machine: Machine,
    precision: str,
    weights: str,
    attention: str,
    packing: str,
    flat: str,
    checkpointing: str,
) -> None:
    assert values(ask(machine)) == {
        "precision": precision,
        "weights": weights,
        "attention": attention,
        "packing": packing,
        "padding_free": flat,
        "checkpointing": checkpointing,
        "offload": "off",
        "kernels": "off",
        "fused": "on",
    }
    assert all(one.reason for one in decide(ask(machine)).values())


def test_weights_that_are_trained_stay_exact_and_small_models_keep_activations() -> None:
    assert values(ask(H100, **FULL))["weights"] == "float32"
    assert values(ask(H100, SMALL))["checkpointing"] == "off"
    assert values(replace(ask(H100), weights="float32"))["weights"] == "float32"
    assert values(ask(H100, precision="float32"))["attention"] == "default"


def test_only_sft_is_packed_and_not_with_neftune() -> None:
    for train in ({"method": "dpo"}, {"method": "reward"}):
        chosen = values(ask(H100, **train))
        assert (chosen["attention"], chosen["packing"]) == ("default", "off")
        assert chosen["padding_free"] == "off"
    noisy = values(ask(H100, neftune=5.0))
    assert (noisy["packing"], noisy["padding_free"]) == ("off", "off")
    mixing = ask(H100, replace(LARGE, mixes_packed_rows="a mamba model is recurrent"))
    assert values(mixing)["packing"] == "off" and values(mixing)["padding_free"] == "off"


def test_what_is_asked_for_is_taken() -> None:
    train = {
        "packing": "bfd",
        "padding_free": True,
        "optimizer": "adafactor",
        "speed": {"attention": "eager", "checkpointing": "selective"},
    }
    chosen = decide(ask(CPU, SMALL, **train))
    assert chosen["packing"].value == "bfd" and chosen["padding_free"].value == "on"
    assert chosen["attention"].value == "eager" and chosen["checkpointing"].value == "selective"
    assert {chosen[n].reason for n in ("packing", "attention", "checkpointing")} == {"recipe"}
    assert chosen["fused"].value == "off"
    assert values(ask(CPU, speed={"fused": "off"}))["fused"] == "off"
    assert values(ask(H100, speed={"kernels": True, "offload": True}))["kernels"] == "on"


@pytest.mark.parametrize(
    ("machine", "train", "told"),
    [
        (CPU, {"speed": {"attention": "flash"}}, "a GPU"),
        (T4, {"speed": {"attention": "flash"}}, "older"),
        (A100, {"speed": {"attention": "flash"}}, "pip install kernels"),
        (H100, {"speed": {"attention": "flash"}, "precision": "float32"}, "bfloat16"),
        (CPU, {"speed": {"kernels": "on"}}, "GPU"),
        (A100, {"speed": {"kernels": "on"}}, "not installed"),
        (CPU, {"speed": {"offload": "on"}}, "CPU's memory already"),
        (H100, {"packing": "bfd", "padding_free": "off"}, "one sequence"),
    ],
)
def test_a_lever_that_this_machine_lacks_is_refused(
    machine: Machine, train: dict[str, Any], told: str
) -> None:
    with pytest.raises(UsageError) as caught:
        decide(ask(machine, **train))
    assert told in f"{caught.value.cause} {caught.value.cure}" and caught.value.cure


def test_rows_that_a_model_would_mix_are_not_packed() -> None:
    mixing = replace(LARGE, mixes_packed_rows="it has layers of linear_attention")
    for train in ({"packing": "bfd"}, {"padding_free": "on"}):
        with pytest.raises(ModelError, match=r"cannot"):
            decide(ask(H100, mixing, **train))


@pytest.mark.parametrize(
    ("machine", "facts", "shapes", "asked", "value"),
    [
        (CPU, LARGE, 1, "auto", "off"),
        (H100, SMALL, 1, "auto", "off"),
        (H100, LARGE, 4, "auto", "off"),
        (H100, LARGE, 400, "auto", "off"),
        (H100, LARGE, 4, "off", "off"),
        (CPU, SMALL, 400, "on", "on"),
        (replace(H100, packages=frozenset()), LARGE, 4, "auto", "off"),
    ],
)
def test_the_model_is_compiled_only_when_the_recipe_says_so(
    machine: Machine, facts: ModelFacts, shapes: int, asked: str, value: str
) -> None:
    assert compile_model(ask(machine, facts, speed={"compile": asked}), shapes).value == value


def test_compile_without_a_compiler_is_refused() -> None:
    with pytest.raises(UsageError, match="cannot work here"):
        compile_model(ask(Machine(), speed={"compile": "on"}), 1)


def test_the_machine_is_the_gpu_that_a_job_would_claim(monkeypatch: pytest.MonkeyPatch) -> None:
    busy = Gpu(0, "GPU-a", "H100", 80, 70, 1, (9, 0))
    free = Gpu(1, "GPU-b", "A100", 80, 60, 0, (8, 0))
    monkeypatch.setattr("train.plan.machine._torch_has_cuda", lambda: True)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert read_machine([busy, free]).gpu == "A100"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert read_machine([busy, free]).capability == (9, 0)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert read_machine([busy, free]).gpu is None
    assert read_machine([]).gpu is None
