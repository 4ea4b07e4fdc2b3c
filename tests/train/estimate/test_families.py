"""Weights counted from a config alone are those that transformers makes of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from train.estimate.families import FAMILIES, KNOWN, shape_of
from train.estimate.shapes import ModelShape

LLAMA_8B = {
    "model_type": "llama",
    "vocab_size": 128256,
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "max_position_embeddings": 131072,
    "tie_word_embeddings": False,
}
LLAMA_70B = {
    **LLAMA_8B,
    "hidden_size": 8192,
    "intermediate_size": 28672,
    "num_hidden_layers": 80,
    "num_attention_heads": 64,
}
MISTRAL_7B = {**LLAMA_8B, "model_type": "mistral", "vocab_size": 32000}
QWEN_7B = {
    "model_type": "qwen2",
    "vocab_size": 152064,
    "hidden_size": 3584,
    "intermediate_size": 18944,
    "num_hidden_layers": 28,
    "num_attention_heads": 28,
    "num_key_value_heads": 4,
    "max_position_embeddings": 32768,
}
QWEN_HALF_B = {
    "model_type": "qwen2",
    "vocab_size": 151936,
    "hidden_size": 896,
    "intermediate_size": 4864,
    "num_hidden_layers": 24,
    "num_attention_heads": 14,
    "num_key_value_heads": 2,
    "tie_word_embeddings": True,
}
GEMMA_2B = {
    "model_type": "gemma2",
    "hidden_size": 2304,
    "intermediate_size": 9216,
    "num_hidden_layers": 26,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "head_dim": 256,
    "vocab_size": 256000,
}
MIXTRAL = {**MISTRAL_7B, "model_type": "mixtral", "num_local_experts": 8}
QWEN_30B = {
    "model_type": "qwen3_moe",
    "vocab_size": 151936,
    "hidden_size": 2048,
    "intermediate_size": 6144,
    "moe_intermediate_size": 768,
    "num_experts": 128,
    "num_experts_per_tok": 8,
    "num_hidden_layers": 48,
    "num_attention_heads": 32,
    "num_key_value_heads": 4,
    "head_dim": 128,
    "mlp_only_layers": [],
}
GPT2 = {"model_type": "gpt2", "n_embd": 768, "n_layer": 12, "n_head": 12}


def shape(config: dict[str, Any]) -> ModelShape:
    found = shape_of(config, "a model")
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("config", "parameters"),
    [
        (LLAMA_8B, 8_030_261_248),
        (LLAMA_70B, 70_553_706_496),
        (QWEN_7B, 7_615_616_512),
        (QWEN_HALF_B, 494_032_768),
        (MISTRAL_7B, 7_241_732_096),
        (GEMMA_2B, 2_614_341_888),
        (MIXTRAL, 46_702_792_704),
        (QWEN_30B, 30_532_122_624),
        (GPT2, 124_439_808),
    ],
    ids=lambda value: value.get("model_type") if isinstance(value, dict) else str(value),
)
def test_published_models_have_their_published_number_of_weights(
    config: dict[str, Any], parameters: int
) -> None:
    assert shape(config).parameters == parameters


def test_the_parts_of_eight_and_seventy_billion() -> None:
    assert shape(LLAMA_8B).parts() == {
        "embedding": 525_336_576,
        "lm_head": 525_336_576,
        "attention": 1_342_177_280,
        "mlp": 5_637_144_576,
        "norms": 266_240,
    }
    assert shape(LLAMA_70B).parts()["norms"] == 1_318_912


def test_lora_adds_what_peft_adds() -> None:
    assert shape(LLAMA_8B).lora_parameters(16) == 41_943_040
    assert shape(LLAMA_8B).lora_parameters(16, ["q_proj", "k_proj", "v_proj", "o_proj"]) == (
        13_631_488
    )
    assert shape(LLAMA_70B).lora_parameters(16) == 207_093_760


def test_of_a_mixture_a_token_uses_few_weights() -> None:
    used = shape(QWEN_30B).weights_used
    assert 2.6e9 < used < 3.4e9  # the 3 B of its name, embedding and output not counted


TINY: dict[str, dict[str, Any]] = {
    "llama": {"attention_bias": True, "mlp_bias": True, "head_dim": 12},
    "mistral": {"head_dim": 12},
    "qwen2": {"tie_word_embeddings": True},
    "qwen3": {"head_dim": 12, "attention_bias": True},
    "gemma": {"head_dim": 12},
    "gemma2": {"head_dim": 12, "attention_bias": True},
    "gemma3_text": {"head_dim": 12},
    "phi3": {},
    "mixtral": {"num_local_experts": 3},
    "qwen2_moe": {
        "num_experts": 4,
        "moe_intermediate_size": 24,
        "shared_expert_intermediate_size": 40,
        "decoder_sparse_step": 2,
    },
    "qwen3_moe": {
        "num_experts": 4,
        "moe_intermediate_size": 24,
        "head_dim": 12,
    },
}


def test_every_known_family_is_compared() -> None:
    assert {*TINY, "gpt2"} == set(KNOWN) and set(FAMILIES) == set(TINY)


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")  # peft 0.21
@pytest.mark.filterwarnings("ignore:.*_pattern keys:RuntimeWarning")  # peft, of mixtures
@pytest.mark.parametrize("kind", KNOWN)
def test_a_config_has_the_weights_and_the_adapter_that_the_libraries_make_of_it(
    kind: str, tmp_path: Path
) -> None:
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoConfig, AutoModelForCausalLM

    if kind == "gpt2":
        given: dict[str, Any] = {"n_embd": 32, "n_layer": 3, "n_head": 4, "vocab_size": 97}
        given |= {"bos_token_id": 0, "eos_token_id": 0}
    else:
        given = {
            "vocab_size": 97,
            "hidden_size": 32,
            "intermediate_size": 56,
            "num_hidden_layers": 3,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "pad_token_id": 0,
            **TINY[kind],
        }
    config = AutoConfig.for_model(kind, **given)
    config.save_pretrained(tmp_path)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    written = json.loads((tmp_path / "config.json").read_text())
    expected = sum(one.numel() for one in model.parameters())
    assert shape(written).parameters == expected
    assert shape({"model_type": kind, **given}).parameters == expected  # as a person writes it
    adapted = get_peft_model(
        model, LoraConfig(r=4, target_modules="all-linear", fan_in_fan_out=kind == "gpt2")
    )
    trained = sum(one.numel() for one in adapted.parameters() if one.requires_grad)
    assert shape(written).lora_parameters(4) == trained


def test_a_text_part_that_leaves_out_defaults_is_filled_in() -> None:
    text = {
        "model_type": "gemma3_text",
        "hidden_size": 2560,
        "intermediate_size": 10240,
        "num_hidden_layers": 34,
    }
    found = shape({"model_type": "gemma3", "text_config": text, "vision_config": {}})
    assert found.parameters == 3_880_263_168 and found.tied
    assert "only the text part" in found.notes[0]


def test_a_config_without_a_size_says_which() -> None:
    with pytest.raises(KeyError, match="hidden_size"):
        shape_of({"model_type": "llama"}, "a model")
    with pytest.raises(ValueError, match="hidden_size: expected a positive whole number"):
        shape_of({**LLAMA_8B, "hidden_size": "4096"}, "a model")
    assert shape_of({"model_type": "mamba"}, "a model") is None
