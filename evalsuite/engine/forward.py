"""Calling a causal language model: padding, positions, caches. Imports torch."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel

SHORTEST_SHARED = 32
"""Tokens that prompts must begin with alike for reading them once to pay."""


@dataclass(frozen=True)
class Engine:
    """A model ready to be asked."""

    model: PreTrainedModel
    """In evaluation mode; adapters on or off as they are now."""
    pad_id: int
    """Fills short rows; never attended to, so any id will do."""

    @property
    def device(self) -> torch.device:
        """Where the model's weights are."""
        return self.model.device

    def new_cache(self) -> DynamicCache:
        """Return an empty key-value cache for this model's kinds of layers."""
        return DynamicCache(config=self.model.config)

    def logits(
        self, ids: Tensor, mask: Tensor, positions: Tensor, cache: DynamicCache | None, keep: int
    ) -> Tensor:
        """Return float32 logits of the last `keep` positions (0: all), shape [rows, keep, vocab].

        Args:
            ids: [rows, new tokens].
            mask: [rows, cached + new tokens], 1 where attended to.
            positions: [rows, new tokens].
            cache: filled in place; None for one pass.
            keep: how many positions; fewer than all saves the vocabulary-wide products.
        """
        options: dict[str, Any] = {}
        if "logits_to_keep" in inspect.signature(self.model.forward).parameters:
            options["logits_to_keep"] = keep
        found: Tensor = self.model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=cache is not None,
            **options,
        ).logits
        # float32: in bfloat16 log-likelihoods near −40 come in steps of 0.25, and choices tie.
        return found[:, -keep:].float()


class Prefilled(NamedTuple):
    """Prompts as read."""

    logits: Tensor
    """Of the next token, float32 [rows, vocabulary]."""
    mask: Tensor
    """[rows, cached tokens], 1 where attended to."""
    next_positions: Tensor
    """Position of the next token, [rows, 1]."""
    cache: DynamicCache


def prefill(engine: Engine, prompts: Sequence[Sequence[int]]) -> Prefilled:
    """Read all prompts; what they begin with alike (a system turn, examples) is read once."""
    shared = shared_prefix(prompts)
    cache = engine.new_cache()
    if shared < SHORTEST_SHARED:
        shared = 0
    else:
        ids = torch.tensor([list(prompts[0][:shared])], device=engine.device)
        mask = torch.ones_like(ids)
        engine.logits(ids, mask, positions_of(mask), cache, keep=1)
        cache.batch_repeat_interleave(len(prompts))
    ids, own = pad_left([prompt[shared:] for prompt in prompts], engine.pad_id, engine.device)
    mask = torch.cat([own.new_ones(len(prompts), shared), own], dim=1)
    positions = positions_of(mask)[:, shared:]
    logits = engine.logits(ids, mask, positions, cache, keep=1)[:, -1]
    return Prefilled(logits, mask, positions[:, -1:] + 1, cache)


def shared_prefix(prompts: Sequence[Sequence[int]]) -> int:
    """Return how many tokens all prompts begin with alike, leaving each at least one of its own.

    >>> shared_prefix([[1, 2, 3, 4], [1, 2, 5]]), shared_prefix([[1, 2], [1, 2]])
    (2, 1)
    """
    if len(prompts) < 2:
        return 0
    low, high = min(map(tuple, prompts)), max(map(tuple, prompts))
    most = min(map(len, prompts)) - 1
    return next((place for place in range(most) if low[place] != high[place]), most)


def pad_left(rows: Sequence[Sequence[int]], pad_id: int, device: Any) -> tuple[Tensor, Tensor]:
    """Return ids and mask, both [rows, longest], with the text at the right end."""
    longest = max(map(len, rows))
    ids = [[pad_id] * (longest - len(row)) + list(row) for row in rows]
    mask = [[0] * (longest - len(row)) + [1] * len(row) for row in rows]
    return torch.tensor(ids, device=device), torch.tensor(mask, device=device)


def pad_right(rows: Sequence[Sequence[int]], pad_id: int, device: Any) -> tuple[Tensor, Tensor]:
    """Return ids and mask, both [rows, longest], with the text at the left end."""
    longest = max(map(len, rows))
    ids = [list(row) + [pad_id] * (longest - len(row)) for row in rows]
    mask = [[1] * len(row) + [0] * (longest - len(row)) for row in rows]
    return torch.tensor(ids, device=device), torch.tensor(mask, device=device)


def positions_of(mask: Tensor) -> Tensor:
    """Return position ids that count from 0 at the first token that is attended to."""
    return (mask.cumsum(dim=-1) - 1).clamp(min=0)


def token_logprobs(logits: Tensor, tokens: Tensor) -> Tensor:
    """Return log p of `tokens` [...] under float32 `logits` [..., vocab]."""
    chosen = logits.gather(-1, tokens.unsqueeze(-1)).squeeze(-1)
    return chosen - logits.logsumexp(dim=-1)


def is_out_of_memory(error: RuntimeError) -> bool:
    """Return whether `error` says that a batch was too large for this machine."""
    if isinstance(error, torch.OutOfMemoryError):
        return True
    return "can't allocate memory" in str(error) or "not enough memory" in str(error)
