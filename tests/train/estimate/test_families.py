"""Weights counted from a config alone are those that transformers makes of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from train.estimate.families import FAMILIES, KNOWN, shape_of
from train.estimate.shapes import ModelShape


def shape(config: dict[str, Any]) -> ModelShape:
    found = shape_of(config, "a model")
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("llama-8b", 8_030_261_248),
        ("llama-70b", 70_553_706_496),
        ("qwen2.5-7b", 7_615_616_512),
        ("qwen2.5-0.5b", 494_032_768),
        ("mistral-7b", 7_241_732_096),
        ("gemma-2-2b", 2_614_341_888),
        ("mixtral-8x7b", 46_702_792_704),
        ("qwen3-30b-a3b", 30_532_122_624),
        ("gpt2", 124_439_808),
    ],
)
def test_published_models_have_their_published_number_of_weights(
    configs: Any, name: str, parameters: int
) -> None:
    assert shape(configs[name]).parameters == parameters


def test_the_parts_of_eight_and_seventy_billion(configs: Any) -> None:
    assert shape(configs["llama-8b"]).parts() == {
        "embedding": 525_336_576,
        "lm_head": 525_336_576,
        "attention": 1_342_177_280,
        "mlp": 5_637_144_576,
        "norms": 266_240,
    }
    assert shape(configs["llama-70b"]).parts()["norms"] == 1_318_912


def test_lora_adds_what_peft_adds(configs: Any) -> None:
    assert shape(configs["llama-8b"]).lora_parameters(16) == 41_943_040
    assert shape(configs["llama-8b"]).lora_parameters(
        16, ["q_proj", "k_proj", "v_proj", "o_proj"]
    ) == (13_631_488)
    assert shape(configs["llama-70b"]).lora_parameters(16) == 207_093_760


def test_of_a_mixture_a_token_uses_few_weights(configs: Any) -> None:
    used = shape(configs["qwen3-30b-a3b"]).weights_used
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


def test_a_config_without_a_size_says_which(configs: Any) -> None:
    with pytest.raises(KeyError, match="hidden_size"):
        shape_of({"model_type": "llama"}, "a model")
    with pytest.raises(ValueError, match="hidden_size: expected a positive whole number"):
        shape_of({**configs["llama-8b"], "hidden_size": "4096"}, "a model")
    assert shape_of({"model_type": "mamba"}, "a model") is None
