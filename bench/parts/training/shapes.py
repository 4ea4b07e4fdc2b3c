"""Llama and Qwen shapes with random weights, for what depends on sizes alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

_LLAMA = {"model_type": "llama", "vocab_size": 128_256, "num_key_value_heads": 8}
SHAPES: dict[str, dict[str, Any]] = {
    "qwen-0.6b": {
        "model_type": "qwen3",
        "vocab_size": 151_936,
        "hidden_size": 1024,
        "intermediate_size": 3072,
        "num_hidden_layers": 28,
        "num_attention_heads": 16,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "tie_word_embeddings": True,
    },
    "llama-3b": {
        **_LLAMA,
        "hidden_size": 3072,
        "intermediate_size": 8192,
        "num_hidden_layers": 28,
        "num_attention_heads": 24,
        "head_dim": 128,
        "tie_word_embeddings": True,
    },
    "llama-8b": {
        **_LLAMA,
        "hidden_size": 4096,
        "intermediate_size": 14_336,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
    },
}


def random_model(path: Path, shape: Mapping[str, Any]) -> Path:
    """Write a model of random weights with the built-in model's tokenizer."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    from evalsuite.builtin import model_path

    tokenizer = AutoTokenizer.from_pretrained(model_path())
    kind = dict(shape)
    config = AutoConfig.for_model(
        kind.pop("model_type"),
        max_position_embeddings=8192,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        **kind,
    )
    torch.manual_seed(0)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    with torch.device(device):
        made = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    made.save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path
