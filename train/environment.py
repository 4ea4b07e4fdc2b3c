"""What a run was made with: versions, device, threads. Saved as `env.json`."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from typing import Any

from workspace.claims import Claim
from workspace.errors import WorkError

PACKAGES = ("torch", "transformers", "trl", "peft", "accelerate", "tokenizers", "datasets")
"""Packages whose version can change what a step computes."""


def versions() -> dict[str, str]:
    """Return the versions in use, Python's included."""
    found = {name: _version(name) for name in PACKAGES}
    return {"python": platform.python_version(), **found}


@cache
def _version(name: str) -> str:
    """Return the version of a package; each look reads and parses a long file."""
    return importlib.metadata.version(name)


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
    claim: Claim, *, precision: str, weights: str, exact_weights: bool, threads: int
) -> Device:
    """Decide device and precision, and set torch's threads. Imports torch.

    Args:
        claim: the GPU that this job holds, or the CPU.
        precision: `train.precision`.
        weights: `model.dtype`.
        exact_weights: frozen weights may be in bfloat16; those that are changed are float32,
            because changes smaller than bfloat16 can hold would be lost.
        threads: CPU threads.
    """
    if "torch" not in sys.modules:
        os.environ["OMP_NUM_THREADS"] = str(threads)
    import torch

    from evalsuite.models.load import choose_placement

    torch.set_num_threads(threads)
    place = choose_placement(precision)
    if weights == "auto":
        weights = "bfloat16" if not exact_weights and place.dtype == "bfloat16" else "float32"
        weights = weights if place.device != "cpu" else "float32"
    reason = f"{claim.reason}; {place.reason}" if claim.device != "cpu" else place.reason
    return Device(place.device, weights, place.dtype, threads, reason)


def expected_device(claim: Claim, *, precision: str) -> tuple[str, str]:
    """Return the device and precision that `choose_device` will decide on, as far as it takes.

    A GPU is asked by a process of its own: torch, once it has looked at the GPUs, keeps to those
    that were visible, and this process may claim another.

    Args:
        claim: the GPU that a claim would get, or the CPU.
        precision: `train.precision`.

    Raises:
        WorkError: torch cannot be loaded.
    """
    if claim.device == "cpu":
        return "cpu", "float32" if precision == "auto" else precision
    script = (
        "import sys\nfrom evalsuite.models.load import choose_placement\n"
        "place = choose_placement(sys.argv[1])\nprint(place.device, place.dtype)\n"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", script, precision],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **({"CUDA_VISIBLE_DEVICES": claim.gpu.uuid} if claim.gpu else {})},
    )
    if done.returncode:
        raise WorkError(
            "torch cannot say what device there is",
            cause=(done.stderr.strip().splitlines() or ["It gave no reason."])[-1],
        )
    device, dtype = done.stdout.split()[-2:]
    return device, dtype


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
