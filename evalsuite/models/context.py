"""How many tokens a model reads and knows, by its own config. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

UNKNOWN_CONTEXT = 2048
"""Taken where a config does not say."""

_KEYS = ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len")


def context_length(config: Mapping[str, Any]) -> int:
    """Return how many tokens a model reads, from its config.json; 2,048 if it does not say.

    The text part of a model of several parts comes first. GPT-2 and its kin say `n_positions`.

    >>> context_length({"n_positions": 1024})
    1024
    """
    for place in (config.get("text_config"), config):
        if isinstance(place, Mapping):
            for key in _KEYS:
                if isinstance(place.get(key), int) and place[key] > 0:
                    return int(place[key])
    return UNKNOWN_CONTEXT


def vocabulary_size(config: Mapping[str, Any]) -> int | None:
    """Return how many token ids a model knows, from its config.json; None if it does not say.

    >>> vocabulary_size({"text_config": {"vocab_size": 512}})
    512
    """
    for place in (config.get("text_config"), config):
        if isinstance(place, Mapping) and isinstance(place.get("vocab_size"), int):
            return int(place["vocab_size"])
    return None
