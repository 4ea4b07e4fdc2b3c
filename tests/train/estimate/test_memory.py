"""Memory by terms: constants of the formulas, what torch really keeps, and the well-known order."""

from __future__ import annotations

from typing import Any

import pytest

from train.estimate.families import shape_of
from train.estimate.memory import GIB, Load, Memory, memory, quantised_bytes, whole_logits_bytes
from train.estimate.shapes import ModelShape
from train.estimate.ways import Demand, Way, demand_of, ways

LOAD = Load(2, 2048, Demand())


def shape(config: Any) -> ModelShape:
    found = shape_of(config, "a model")
    assert found is not None
    return found


def taken(config: Any, load: Load = LOAD, **options: Any) -> dict[str, Memory]:
    made = {way.name: way for way in ways(None, options.pop("optimizer", "adamw"), "auto")}
    model, again = shape(config), options.pop("checkpointing", True)
    return {name: memory(model, way, load, checkpointing=again) for name, way in made.items()}


@pytest.mark.parametrize("name", ["mistral-7b", "llama-8b", "qwen2.5-7b"])
def test_the_order_of_the_well_known_table_comes_out(configs: Any, name: str) -> None:
    found = {way: one.total / GIB for way, one in taken(configs[name]).items()}
    assert found["full"] > 80
    assert 16 < found["lora"] < 24
    assert 7 < found["qlora"] < 12


def test_seventy_billion_in_four_bits_fit_forty_eight_gib(configs: Any) -> None:
    one = taken(configs["llama-70b"], Load(1, 512, Demand()))["qlora"]
    assert 38 < one.total / GIB < 45  # the QLoRA paper tuned 65 B on 48


def test_full_training_takes_eighteen_bytes_a_weight_and_adapters_eighteen_of_theirs(
    configs: Any,
) -> None:
    found = taken(configs["llama-8b"])
    full, lora, qlora = found["full"], found["lora"], found["qlora"]
    count = 8_030_261_248
    assert full.weights == full.gradients == 4 * count
    assert (full.optimizer, full.copies, full.adapter) == (8 * count, 2 * count, 0)
    added = 41_943_040
    assert (lora.weights, lora.adapter, lora.gradients) == (2 * count, 4 * added, 4 * added)
    assert lora.optimizer == 8 * added
    assert (qlora.adapter, qlora.gradients, qlora.optimizer) == (2 * added, 2 * added, 4 * added)
    assert sum(lora.terms().values()) == lora.total


def test_four_bit_weights_have_their_constants(configs: Any) -> None:
    linear = 1_342_177_280 + 5_637_144_576
    packed, constants = quantised_bytes(linear)
    assert 8 * (packed + constants) / linear == pytest.approx(4.127, abs=5e-4)  # the paper's 0.127
    one = taken(configs["llama-8b"])["qlora"]
    rest = 8_030_261_248 - linear
    assert one.weights == packed + 2 * rest
    assert one.quantisation == constants + 2 * 4096 * 14336


def test_eight_bit_adam_takes_a_quarter(configs: Any) -> None:
    usual = taken(configs["llama-8b"])["full"].optimizer
    small = taken(configs["llama-8b"], optimizer="adamw_8bit")["full"].optimizer
    assert small / usual == pytest.approx((1 + 4 / 256) / 4)


def test_checkpointing_keeps_inputs_and_one_layer(configs: Any) -> None:
    kept = taken(configs["llama-8b"])["lora"].activations
    whole = taken(configs["llama-8b"], checkpointing=False)["lora"].activations
    assert whole > 12 * kept
    assert kept > 32 * 4096 * 4096 * 2  # the layers' inputs alone


def test_memory_grows_with_rows_and_length_as_with_tokens(configs: Any) -> None:
    more = taken(configs["llama-8b"], Load(4, 2048, Demand()))["lora"]
    assert more == taken(configs["llama-8b"], Load(2, 4096, Demand()))["lora"]
    assert more.activations == 2 * taken(configs["llama-8b"])["lora"].activations


def test_stored_scores_grow_with_the_square_of_the_length(configs: Any) -> None:
    short = taken(configs["gemma-2-2b"], Load(4, 1024, Demand()))["lora"].activations
    long = taken(configs["gemma-2-2b"], Load(1, 4096, Demand()))["lora"].activations
    assert long - short == 4096 * 8 * (4096 - 1024) * 8  # tokens, heads, lengths, bytes; one layer


def test_preferences_hold_two_sequences_and_no_second_model(configs: Any) -> None:
    assert demand_of("dpo").sequences == demand_of("kto").sequences == 2
    pairs = taken(configs["llama-8b"], Load(1, 2048, demand_of("dpo")))["lora"]
    assert pairs == taken(configs["llama-8b"])["lora"]
    second = taken(configs["llama-8b"], Load(1, 2048, Demand(2, "model")))["lora"]
    assert second.reference == 2 * 8_030_261_248


def test_the_loss_in_tiles_takes_a_part_of_whole_logits(configs: Any) -> None:
    model = shape(configs["llama-8b"])
    assert whole_logits_bytes(model, 4096) == 4096 * 128256 * 10
    assert taken(configs["llama-8b"])["lora"].loss < whole_logits_bytes(model, 4096) / 10


def kept_by_torch(kind: str, config: dict[str, Any], way: str) -> int:
    """Return the bytes that autograd keeps of a forward pass of 2 x 64 tokens, weights aside."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(0)
    dtype = torch.float32 if way == "full" else torch.bfloat16
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **config), dtype=dtype)
    model.train()
    inner = model.base_model
    if way == "lora":
        options = {"target_modules": "all-linear", "fan_in_fan_out": kind == "gpt2"}
        model = get_peft_model(model, LoraConfig(r=16, **options))
    weights = [*model.parameters(), *model.buffers()]
    own = {one.untyped_storage().data_ptr() for one in weights}
    # autocast's copies of weights have a term of their own
    copies = {shape for one in weights for shape in (tuple(one.shape), tuple(one.shape)[::-1])}
    kept: dict[int, torch.Tensor] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        place = tensor.untyped_storage().data_ptr()
        if place not in own and tuple(tensor.shape) not in copies:
            kept[place] = tensor
        return tensor

    mask = torch.ones(2, 64, dtype=torch.long)
    mask[1, 59:] = 0
    with (
        torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
        torch.autocast("cpu", torch.bfloat16),
    ):
        inner(input_ids=torch.randint(512, (2, 64)), attention_mask=mask, use_cache=False)
    return sum(one.untyped_storage().nbytes() for one in kept.values())


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")  # peft 0.21
@pytest.mark.parametrize("way", ["full", "lora"])
@pytest.mark.parametrize(
    "kind", ["llama", "qwen2", "qwen3", "gemma2", "gemma3_text", "phi3", "gpt2"]
)
def test_activations_are_what_torch_keeps(kind: str, way: Any) -> None:
    config: dict[str, Any] = {
        "vocab_size": 512,
        "hidden_size": 256,
        "intermediate_size": 688,
        "num_hidden_layers": 3,
        "num_attention_heads": 8,
        "num_key_value_heads": 2,
        "head_dim": 32,
        "pad_token_id": 0,
        "eos_token_id": 1,
    }
    if kind == "gpt2":
        config = {"vocab_size": 512, "n_embd": 256, "n_layer": 3, "n_head": 8, "eos_token_id": 1}
    model = shape({"model_type": kind, **config})
    how = Way(way, weight_bytes=4 if way == "full" else 2)
    planned = memory(model, how, Load(2, 64, Demand()), checkpointing=False).activations
    assert planned == pytest.approx(kept_by_torch(kind, config, way), rel=0.07)
