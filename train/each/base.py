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
    total: int
    """Sum of its bytes."""

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
                _Weight(name, one, one.data, one.requires_grad, _sum(one.data))
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
        changed = [one.name for one in self._weights if _sum(one.data) != one.total]
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


def _sum(tensor: torch.Tensor) -> int:
    return int(tensor.contiguous().reshape(-1).view(torch.uint8).sum(dtype=torch.int64))
