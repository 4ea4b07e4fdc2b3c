"""What makes a language model's logits of its last hidden states. Imports torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Head:
    """An output matrix with what a model does to its product, as trl's fused head does it."""

    weight: Tensor
    """Shape (vocabulary, hidden)."""
    bias: Tensor | None
    scale: float
    softcap: float | None

    def logits(self, hidden: Tensor, vocabulary: int | None = None) -> Tensor:
        """Return float32 logits of hidden states; shape (tokens, vocabulary).

        Args:
            hidden: shape (tokens, hidden).
            vocabulary: the first token ids only; None: all.
        """
        weight = self.weight[:vocabulary]
        bias = None if self.bias is None else self.bias[:vocabulary]
        return self.finished(functional.linear(hidden.to(weight.dtype), weight, bias))

    def finished(self, product: Tensor) -> Tensor:
        """Return float32 logits of the output matrix's product with hidden states."""
        logits = product.float() * self.scale
        if self.softcap is not None:
            logits = self.softcap * torch.tanh(logits / self.softcap)
        return logits

    def log_probs(
        self, hidden: Tensor, *, temperature: float = 1.0, vocabulary: int | None = None
    ) -> Tensor:
        """Return float32 log-probabilities of hidden states; shape (tokens, vocabulary)."""
        return (self.logits(hidden, vocabulary) / temperature).log_softmax(-1)


def inner_of(model: Any) -> Any:
    """Return the language model within a PEFT model, or the model itself."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def head_of(model: Any, *, tuned: bool) -> Head:
    """Return the output of a model, or, if not `tuned`, that of the base within it."""
    inner = inner_of(model)
    layer: Any = inner.get_output_embeddings()
    if not tuned:
        if hasattr(layer, "token_adapter"):
            layer = layer.token_adapter
        while hasattr(layer, "get_base_layer") or hasattr(layer, "original_module"):
            layer = layer.original_module if hasattr(layer, "original_module") else (
                layer.get_base_layer()
            )  # fmt: skip
    config = inner.config.get_text_config()
    weight, bias = layer.weight, getattr(layer, "bias", None)
    if not tuned:
        weight, bias = weight.detach(), None if bias is None else bias.detach()
    return Head(weight, bias, _scale(config), getattr(config, "final_logit_softcapping", None))


def _scale(config: Any) -> float:
    """Return what logits are multiplied with, by the names that models of transformers use."""
    for name in ("logit_scale", "output_multiplier", "lm_head_multiplier"):
        if (scale := getattr(config, name, None)) is not None:
            return float(scale)
    if (scaling := getattr(config, "logits_scaling", None)) is None:
        return 1.0
    return float(scaling) if config.model_type == "hyperclovax" else 1 / float(scaling)
