"""Muon in single precision: momentum, orthogonalised, for the hidden matrices of the base model.

Keller Jordan et al., 2024, https://kellerjordan.github.io/posts/muon/. `torch.optim.Muon` works in
bfloat16, which a CPU without that arithmetic emulates: 0.56 s a step against 0.20 s here, where
matrices of one shape are also orthogonalised together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn import Parameter

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)


class Muon:
    """SGD with Nesterov momentum whose update is the nearest semi-orthogonal matrix."""

    def __init__(
        self, parameters: Iterable[Parameter], *, momentum: float = 0.95, weight_decay: float = 0.01
    ) -> None:
        groups: dict[torch.Size, list[Parameter]] = defaultdict(list)
        for parameter in parameters:
            groups[parameter.shape].append(parameter)
        self.groups = list(groups.values())
        self.velocity = [torch.zeros(len(g), *g[0].shape) for g in self.groups]
        self.momentum = momentum
        self.weight_decay = weight_decay

    @torch.no_grad()
    def step(self, lr: float) -> None:
        """One update; `lr` is the spectral norm of the change of a square matrix."""
        for group, velocity in zip(self.groups, self.velocity, strict=True):
            gradient = torch.stack([_gradient(p) for p in group])
            velocity.lerp_(gradient, 1 - self.momentum)
            update = orthogonalise(gradient.lerp(velocity, self.momentum))
            rows, columns = group[0].shape
            scale = lr * max(1.0, rows / columns) ** 0.5
            for parameter, change in zip(group, update, strict=True):
                parameter.mul_(1 - lr * self.weight_decay).add_(change, alpha=-scale)


def orthogonalise(matrices: Tensor, iterations: int = 5) -> Tensor:
    """Newton-Schulz: singular values of each [rows, columns] matrix of the batch to about 1."""
    if matrices.shape[1] > matrices.shape[2]:
        return orthogonalise(matrices.transpose(1, 2), iterations).transpose(1, 2)
    a, b, c = NEWTON_SCHULZ
    x: Tensor = matrices / (torch.linalg.matrix_norm(matrices, keepdim=True) + 1e-7)
    for _ in range(iterations):
        gram = x @ x.transpose(1, 2)
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    return x


def _gradient(parameter: Parameter) -> Tensor:
    return torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
