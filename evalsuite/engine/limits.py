"""What a model can take, from its own files and from the machine. No torch."""

from __future__ import annotations

from typing import Any

from evalsuite.engine.batching import BatchLimits
from evalsuite.recipe import EvalSection

_CONTEXT_KEYS = ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len")
_UNKNOWN_CONTEXT = 2048
_CPU_TOKENS, _GPU_TOKENS = 16_384, 131_072


def context_length(config: dict[str, Any]) -> int:
    """Return how many tokens a model reads, from its config.json; 2,048 if it does not say."""
    for place in (config, config.get("text_config")):
        if isinstance(place, dict):
            for key in _CONTEXT_KEYS:
                if isinstance(place.get(key), int):
                    return int(place[key])
    return _UNKNOWN_CONTEXT


def batch_limits(section: EvalSection, device: str) -> BatchLimits:
    """Return how large a batch may be on `device`."""
    default = _CPU_TOKENS if device == "cpu" else _GPU_TOKENS
    return BatchLimits(section.batch_tokens or default, section.batch_rows)
