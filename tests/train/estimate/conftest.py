"""Configs of published models, as far as a shape needs them."""

from __future__ import annotations

from typing import Any

import pytest

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
CONFIGS: dict[str, dict[str, Any]] = {
    "llama-8b": LLAMA_8B,
    "llama-70b": LLAMA_70B,
    "mistral-7b": MISTRAL_7B,
    "qwen2.5-7b": QWEN_7B,
    "qwen2.5-0.5b": QWEN_HALF_B,
    "gemma-2-2b": GEMMA_2B,
    "mixtral-8x7b": MIXTRAL,
    "qwen3-30b-a3b": QWEN_30B,
    "gpt2": GPT2,
}


@pytest.fixture(scope="session")
def configs() -> dict[str, dict[str, Any]]:
    """Return configs by name."""
    return CONFIGS
