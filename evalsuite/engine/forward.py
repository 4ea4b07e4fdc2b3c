"""Calling a causal language model: padding, positions, caches. Imports torch."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

if TYPE_CHECKING:
    from evalsuite.engine.prefill import Stem

_BY_ROWS = (DynamicLayer, DynamicSlidingWindowLayer)
"""Layers of a cache whose rows stand by themselves."""


@dataclass(frozen=True)
class Engine:
    """A model ready to be asked."""

    model: PreTrainedModel
    """In evaluation mode; adapters on or off as they are now."""
    pad_id: int
    """Fills short rows; never attended to, so any id will do."""
    stem: Stem | None = None
    """What all prompts to come begin with; only while the model stays as it is."""

    @property
    def device(self) -> torch.device:
        """Where the model's weights are."""
        return self.model.device

    def new_cache(self) -> DynamicCache:
        """Return an empty key-value cache for this model's kinds of layers."""
        return DynamicCache(config=self.model.config)

    @property
    def selects_rows(self) -> bool:
        """Whether rows of its cache can be repeated and dropped: not where layers keep a state."""
        return all(type(layer) in _BY_ROWS for layer in self.new_cache().layers)

    @property
    def shares_prefixes(self) -> bool:
        """Whether what prompts begin with can be read once.

        Between a shared beginning and a row's own tokens there is padding, which a sliding window
        would count: every layer must attend to all that was read.
        """
        return all(type(layer) is DynamicLayer for layer in self.new_cache().layers)

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
