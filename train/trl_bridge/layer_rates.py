"""Lower layers learn slower: the optimiser's groups, by depth."""

from __future__ import annotations

from typing import Any

import torch

from train.plan.tempering import count_layers, depth_of, layer_factors


def split_by_depth(optimizer: torch.optim.Optimizer, model: Any, decay: float) -> None:
    """Split each group by the depth of its weights and give each part its rate.

    Call it before the first step: an optimiser keeps its states by weight, but the order of
    groups is what a checkpoint knows them by.

    Args:
        optimizer: whose groups have the full rate.
        model: that it trains; adapters are named by the layer they are on.
        decay: part of a layer's rate that the layer below gets.
    """
    depths = dict[torch.nn.Parameter, int]()
    names = [name for name, _ in model.named_parameters()]
    layers = count_layers(names)
    for name, parameter in model.named_parameters():
        depths[parameter] = depth_of(name, layers)
    factors = layer_factors(decay, layers)
    groups = list(optimizer.param_groups)
    optimizer.param_groups.clear()
    for group in groups:
        for depth in sorted({depths[one] for one in group["params"]}, reverse=True):
            optimizer.add_param_group(
                {
                    **group,
                    "params": [one for one in group["params"] if depths[one] == depth],
                    "lr": group["lr"] * factors[depth],
                    "layer_factor": factors[depth],
                }
            )
