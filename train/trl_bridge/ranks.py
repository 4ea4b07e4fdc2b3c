"""AdaLoRA's budget of ranks, which the trainer has to keep up after every step."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from transformers import TrainerCallback

_FILE = "adalora.safetensors"
_AVERAGES = ("ipt", "exp_avg_ipt", "exp_avg_unc")


class AllocateRanks(TrainerCallback):
    """Gives ranks to the layers that need them, after each update (arXiv 2303.10512)."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def on_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Count the importance of each direction and mask those that the budget leaves out."""
        self.model.base_model.update_and_allocate(int(state.global_step) + 1)


def has_ranks(model: Any) -> bool:
    """Whether the model is trained with AdaLoRA."""
    return hasattr(getattr(model, "base_model", None), "rankallocator")


def save_ranks(model: Any, directory: Path) -> None:
    """Write the whole adapter and the allocator's averages.

    peft writes an adapter without the directions that are masked now; later steps may want them.
    """
    allocator = model.base_model.rankallocator
    tensors = {f"weights/{name}": one for name, one in _trained(model).items()}
    for kind in _AVERAGES:
        tensors |= {f"{kind}/{name}": one for name, one in getattr(allocator, kind).items()}
    pattern = model.peft_config["default"].rank_pattern
    copies = {name: one.detach().cpu().contiguous().clone() for name, one in tensors.items()}
    save_file(copies, directory / _FILE, metadata={"rank_pattern": json.dumps(pattern)})


def load_ranks(model: Any, directory: Path) -> None:
    """Read what `save_ranks` wrote."""
    from safetensors import safe_open

    allocator = model.base_model.rankallocator
    trained = _trained(model)
    allocator.reset_ipt()
    for key, tensor in load_file(directory / _FILE).items():
        kind, _, name = key.partition("/")
        if kind == "weights":
            with torch.no_grad():
                trained[name].copy_(tensor)
        else:
            getattr(allocator, kind)[name] = tensor.to(next(iter(trained.values())).device)
    with safe_open(directory / _FILE, framework="pt") as opened:
        pattern = json.loads(opened.metadata()["rank_pattern"])
    model.peft_config["default"].rank_pattern = pattern


def _trained(model: Any) -> dict[str, torch.Tensor]:
    return {name: one for name, one in model.named_parameters() if one.requires_grad}
