"""Two models' distributions, compared exactly over the vocabulary, a chunk of tokens at a time.

trl's trainer never holds the logits of a batch, and neither does this: what is kept of a forward
pass are the last hidden states, and each chunk's distributions are made from them, in the backward
pass once more.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from evalsuite.models.head import Head


@dataclass(frozen=True)
class Divergence:
    """What is measured between an aim and the model in training."""

    direction: str = "forward"
    """`forward`: KL(aim ‖ model); `reverse`: KL(model ‖ aim); `jsd`: the mean of the KL of
    either to the mean of both, which is eq. 1 of arXiv 2306.13649 at β = ½."""
    temperature: float = 1.0
    """Logits of both are divided by it (arXiv 1503.02531)."""
    vocabulary: int | None = None
    """The first token ids, which both models have; None: all."""

    def summed(self, aims: Tensor, found: Tensor) -> Tensor:
        """Return the sum over tokens, in nats, of log-probabilities (tokens, vocabulary)."""
        if self.direction == "forward":
            return _kl(aims, found)
        if self.direction == "reverse":
            return _kl(found, aims)
        mixed = torch.logaddexp(aims, found) - log(2)
        return 0.5 * (_kl(aims, mixed) + _kl(found, mixed))


def divergence(
    base: Head,
    base_hidden: Tensor,
    tuned: Head,
    hidden: Tensor,
    chunk: int,
    measure: Divergence | None = None,
) -> Tensor:
    """Return the sum over tokens of a divergence, in nats; the gradient is to `tuned`.

    Args:
        base: output of the model that is the aim.
        base_hidden: its last hidden states at the tokens; shape (tokens, its hidden size).
        tuned: output of the model in training.
        hidden: its last hidden states; shape (tokens, hidden).
        chunk: tokens whose distributions are in memory at once.
        measure: which divergence; KL(base ‖ tuned) if left out.
    """
    total = hidden.new_zeros((), dtype=torch.float32)
    for place in range(0, len(hidden), chunk):
        few = slice(place, place + chunk)
        part = checkpoint(
            _of_chunk, measure or Divergence(), base, base_hidden[few], tuned, hidden[few],
            use_reentrant=False, preserve_rng_state=False,
        )  # fmt: skip
        total = total + part
    return total


def _of_chunk(
    measure: Divergence, base: Head, base_hidden: Tensor, tuned: Head, hidden: Tensor
) -> Tensor:
    with torch.no_grad():
        aims = base.log_probs(
            base_hidden, temperature=measure.temperature, vocabulary=measure.vocabulary
        )
    found = tuned.log_probs(hidden, temperature=measure.temperature, vocabulary=measure.vocabulary)
    return measure.summed(aims, found)


def _kl(one: Tensor, other: Tensor) -> Tensor:
    """Return the sum of KL(one ‖ other) of log-probabilities."""
    return functional.kl_div(other, one, reduction="sum", log_target=True)


@torch.no_grad()
def read(model: Any, inputs: Any) -> Tensor:
    """Return a language model's last hidden states, without dropout; shape (rows, tokens, hidden).

    Nothing random is drawn, so that what is trained beside it does not change.
    """
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        out = model.base_model(
            input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"], use_cache=False
        )
    finally:
        for module in training:
            module.training = True
    states: Tensor = out.last_hidden_state
    return states
