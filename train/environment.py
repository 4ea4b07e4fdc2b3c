"""What a run was made with: versions, device, threads. Saved as `env.json`."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
from dataclasses import dataclass
from typing import Any

from workspace.gpus import Claim

PACKAGES = ("torch", "transformers", "trl", "peft", "accelerate", "tokenizers", "datasets")
"""Packages whose version can change what a step computes."""


def versions() -> dict[str, str]:
    """Return the versions in use, Python's included."""
    found = {name: importlib.metadata.version(name) for name in PACKAGES}
    return {"python": platform.python_version(), **found}


@dataclass(frozen=True)
class Device:
    """Where and how the arithmetic is done."""

    device: str
    """`cpu` or `cuda`."""
    weights: str
    """Precision of the loaded weights."""
    precision: str
    """Precision of the arithmetic."""
    threads: int
    reason: str


def choose_device(
    claim: Claim, *, precision: str, weights: str, adapter: str, threads: int
) -> Device:
    """Decide device and precision, and set torch's threads. Imports torch.

    Args:
        claim: the GPU that this job holds, or the CPU.
        precision: `train.precision`.
        weights: `model.dtype`.
        adapter: with `lora` the frozen weights may be in bfloat16; with `full` they are float32,
            because updates smaller than bfloat16 can hold would be lost.
        threads: CPU threads.
    """
    if "torch" not in sys.modules:
        os.environ["OMP_NUM_THREADS"] = str(threads)
    import torch

    from evalsuite.models.load import choose_placement

    torch.set_num_threads(threads)
    place = choose_placement(precision)
    if weights == "auto":
        weights = "bfloat16" if adapter == "lora" and place.dtype == "bfloat16" else "float32"
        weights = weights if place.device != "cpu" else "float32"
    reason = f"{claim.reason}; {place.reason}" if claim.device != "cpu" else place.reason
    return Device(place.device, weights, place.dtype, threads, reason)


def environment(device: Device, digests: dict[str, Any]) -> dict[str, Any]:
    """Return the document saved as `env.json`."""
    return {
        "schema_version": 1,
        "versions": versions(),
        "platform": platform.platform(),
        "device": device.device,
        "weights": device.weights,
        "precision": device.precision,
        "threads": device.threads,
        "reason": device.reason,
        "digests": digests,
    }
