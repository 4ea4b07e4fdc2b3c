"""An adapter as it is written: one that fits the untouched base.

PiSSA and OLoRA take the adapter's first weights out of the base's, W = W' + s B0 A0, and train
W' + s B A. On the base as everybody has it that is W + s (B A - B0 A0): a LoRA of twice the rank,
with A = [A; A0] and B = [B, -B0]. peft 0.21 can write this too, but leaves out everything else that
was trained beside the matrices: token rows, whole modules, biases, DoRA's lengths.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file

from workspace.files import write_json

_WEIGHTS = "adapter_model.safetensors"
_CONFIG = "adapter_config.json"


@dataclass(frozen=True)
class Split:
    """The matrices that an adapter took out of the base's weights when it was put on."""

    first: dict[str, torch.Tensor]
    """Their names in the saved adapter → their first values."""

    @classmethod
    def of(cls, model: Any) -> Split:
        """Copy the adapter's matrices as they are now."""
        return cls(
            {
                name.replace(".default.", "."): parameter.detach().cpu().clone()
                for name, parameter in model.named_parameters()
                if ".lora_A.default." in name or ".lora_B.default." in name
            }
        )


@dataclass(frozen=True)
class Joined:
    """A trained model that saves its adapter for the untouched base."""

    model: Any
    split: Split

    def save_pretrained(self, directory: Path) -> None:
        """Write the adapter."""
        self.model.save_pretrained(directory)
        saved = load_file(directory / _WEIGHTS)
        for name, first in self.split.first.items():
            now = saved[name]
            if ".lora_A." in name:
                saved[name] = torch.cat([now, first.to(now)], dim=0)
            else:
                saved[name] = torch.cat([now, -first.to(now)], dim=1).contiguous()
        save_file(saved, directory / _WEIGHTS, metadata={"format": "pt"})
        config = json.loads((directory / _CONFIG).read_text())
        write_json(directory / _CONFIG, _doubled(config))


def _doubled(config: dict[str, Any]) -> dict[str, Any]:
    """Return peft's config for twice the rank at the same scaling."""
    # alpha / r stays where both are doubled; alpha / √r where alpha grows by √2
    factor = 2**0.5 if config["use_rslora"] else 2
    return {
        **config,
        "init_lora_weights": True,
        "r": 2 * config["r"],
        "lora_alpha": factor * config["lora_alpha"],
        "rank_pattern": {key: 2 * rank for key, rank in config["rank_pattern"].items()},
        "alpha_pattern": {key: factor * one for key, one in config["alpha_pattern"].items()},
    }


def whole_model(model: Any) -> Any:
    """Return a trained model without its adapter, whose effect is added to the weights.

    Readers of reward models load a whole model; a head beside an adapter they would not find.
    """
    return model.merge_and_unload() if isinstance(model, PeftModel) else model


def publishable(model: Any, split: Split | None) -> Any:
    """Return what `train.publish` saves of a trained model."""
    return model if split is None else Joined(model, split)
