"""The base that all groups share: loaded once, lent to each, proved to come back unchanged.

Imports torch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from evalsuite.models.same_weights import over_same_weights
from train.environment import Device
from train.inputs import Inputs
from train.plan import Prepared
from workspace.errors import LimitExceeded

Load = Callable[[Inputs, Prepared, Device], Any]


@dataclass(frozen=True)
class _Weight:
    """A tensor of the base as it was loaded."""

    name: str
    holder: torch.Tensor
    """What modules point to: a parameter or a buffer."""
    data: torch.Tensor
    requires_grad: bool
    fingerprint: int
    """Of its bytes, each at its place."""

    def restore(self) -> None:
        """Put back what a trainer may have put in its place."""
        self.holder.data = self.data
        self.holder.grad = None
        if self.holder.is_leaf and self.holder.is_floating_point():
            self.holder.requires_grad_(self.requires_grad)


class SharedBase:
    """Lends one base's weights to many trainers, one after the other.

    Each gets modules of its own, which it may wrap, hook and switch as it likes, over the same
    tensors: adapters leave those as they are, and that is looked at after each.
    """

    def __init__(self, load: Load) -> None:
        """`load` reads the base when it is needed first."""
        self._load = load
        self._model: Any = None
        self._weights: list[_Weight] = []
        self.loads = 0
        """How often weights were read; 1 at the end."""
        self.lent = 0
        """How often they were lent."""

    def lend(self, inputs: Inputs, prepared: Prepared, device: Device) -> Any:
        """Return the base for the trainer of a group, seeded as when it is loaded anew.

        Raises:
            LimitExceeded: the trainer before has changed its weights.
        """
        from transformers import set_seed

        if self._model is None:
            self._model = self._load(inputs, prepared, device)
            self.loads += 1
            self._weights = [
                _Weight(name, one, one.data, one.requires_grad, fingerprint(one.data))
                for name, one in _tensors(self._model)
            ]
        self.check()
        self.lent += 1
        set_seed(prepared.plan.seed)  # decides the adapter's first weights
        return over_same_weights(self._model)

    def check(self) -> None:
        """Put flags and tensors back, and compare the weights with what was loaded.

        Raises:
            LimitExceeded: a weight has changed.
        """
        for one in self._weights:
            one.restore()
        changed = [one.name for one in self._weights if fingerprint(one.data) != one.fingerprint]
        if changed:
            raise LimitExceeded(
                "training a group has changed the base that all groups share",
                where=changed[0],
                cause=f"{len(changed)} of {len(self._weights)} tensors are not as they were "
                "loaded.",
                cure="Train the groups one by one, each on a base of its own.",
            )


def _tensors(model: Any) -> list[tuple[str, torch.Tensor]]:
    return [*model.named_parameters(), *model.named_buffers()]


def fingerprint(tensor: torch.Tensor) -> int:
    """Return 64 bits over a tensor's bytes, computed where it lies.

    Eight bytes at a time are mixed with their place, as splitmix64 mixes a counter (Steele et al.
    2014), and summed: values that only changed places show, which in a sum of bytes they do not.
    """
    flat = tensor.detach().contiguous().reshape(-1).view(torch.uint8)
    total = 0
    for start in range(0, flat.numel(), _CHUNK):
        part = flat[start : start + _CHUNK].clone()  # aligned, which a file's tensors need not be
        part = torch.nn.functional.pad(part, (0, -part.numel() % _WORD))
        words = part.view(torch.int64)
        first = start // _WORD
        places = torch.arange(first, first + words.numel(), device=words.device)
        words.bitwise_xor_(places.mul_(_GOLDEN)).mul_(_MIX)
        words.bitwise_xor_(words >> 29).mul_(_MIX)
        total += int(words.sum())
    return total % 2**64


_WORD = 8
_CHUNK = 1 << 25
"""Bytes at a time: a few copies of them are what it takes of memory."""
_GOLDEN = 0x9E3779B97F4A7C15 - 2**64
_MIX = 0xBF58476D1CE4E5B9 - 2**64
"""Odd 64-bit constants of splitmix64, as signed numbers."""
