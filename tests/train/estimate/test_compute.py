"""Operations and hours."""

from __future__ import annotations

from typing import Any

import pytest

from train.estimate.compute import Work, flops_per_token, hours
from train.estimate.families import shape_of
from train.estimate.gpus import GpuType
from train.estimate.shapes import ModelShape
from train.estimate.ways import Demand, Way, demand_of


@pytest.fixture
def llama(configs: Any) -> ModelShape:
    found = shape_of(configs["llama-8b"], "8b")
    assert found is not None
    return found


def per_token(model: ModelShape, way: Any, length: float = 0.0, **options: Any) -> float:
    demand = options.pop("demand", Demand())
    again = options.pop("checkpointing", False)
    return flops_per_token(model, Way(way), demand, length, checkpointing=again)


def test_full_takes_six_operations_a_weight_and_frozen_weights_four(llama: ModelShape) -> None:
    matrices, output = llama.linear_weights, llama.embedding
    assert per_token(llama, "full") == 6 * matrices + 8 * output
    added = llama.lora_parameters(16)
    assert per_token(llama, "lora") == 4 * matrices + 6 * output + 6 * added
    assert per_token(llama, "qlora") == per_token(llama, "lora")


def test_checkpointing_and_a_reference_read_once_more(llama: ModelShape) -> None:
    forward = 2 * (llama.linear_weights + llama.lora_parameters(16))
    base = per_token(llama, "lora")
    assert per_token(llama, "lora", checkpointing=True) - base == forward
    both = per_token(llama, "lora", demand=demand_of("dpo"))
    assert both - base == forward + 2 * llama.embedding


def test_attention_grows_with_the_length(llama: ModelShape) -> None:
    more = per_token(llama, "full", 2048) - per_token(llama, "full", 1024)
    assert more == 3 * 2 * 1024 * 32 * 4096


def test_the_forward_pass_is_what_torch_counts() -> None:
    import torch
    from torch.utils.flop_counter import FlopCounterMode
    from transformers import LlamaConfig, LlamaForCausalLM

    config: dict[str, Any] = {
        "vocab_size": 1024,
        "hidden_size": 512,
        "intermediate_size": 1376,
        "num_hidden_layers": 2,
        "num_attention_heads": 8,
        "num_key_value_heads": 2,
    }
    model = shape_of({"model_type": "llama", **config}, "small")
    assert model is not None
    made = LlamaForCausalLM(LlamaConfig(**config))
    with FlopCounterMode(display=False) as counted, torch.no_grad():
        made(input_ids=torch.zeros(1, 32, dtype=torch.long), use_cache=False)
    again = per_token(model, "full", 32, checkpointing=True) - per_token(model, "full", 32)
    forward = 32 * (again + 2 * model.embedding)
    assert forward == pytest.approx(counted.get_total_flops(), rel=0.02)


def test_hours_are_a_range_by_utilisation(llama: ModelShape) -> None:
    gpu = GpuType("x", 80, 100, 2.0, utilisation=(0.25, 0.5))
    found = hours(gpu, Way("full"), Work(10**6, 1000), 3.6e10, tokens_at_once=512)
    assert found is not None  # 3.6e16 operations at 100e12 × 0.5 filled
    assert (found.low, found.high) == (pytest.approx(0.4), pytest.approx(0.8))
    assert found.low * 3600 == pytest.approx(3.6e16 / (100e12 * 0.5 * 0.5))


def test_without_a_peak_there_are_no_hours() -> None:
    gpu = GpuType("x", 80, None, 2.0)
    assert hours(gpu, Way("full"), Work(1, 1), 1.0, tokens_at_once=1) is None
