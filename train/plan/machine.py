"""What of this machine decides how fast a step can be, read without torch."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shutil
from dataclasses import asdict, dataclass, field
from typing import Any

from workspace.gpus import Gpu, list_gpus

PACKAGES = ("flash_attn", "kernels", "triton")
"""Packages that a lever needs and an installation may lack."""


@dataclass(frozen=True)
class Machine:
    """Where a run will be, as far as it can be known before it claims its GPU."""

    gpu: str | None = None
    """Name of the GPU; None: the CPU."""
    capability: tuple[int, int] = (0, 0)
    """CUDA compute capability: 7.5 is a T4, 8.0 an A100, 9.0 an H100."""
    packages: frozenset[str] = field(default_factory=frozenset)
    """Of `PACKAGES`, those that are installed."""
    has_compiler: bool = False
    """Whether a C compiler is on the path."""

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {**asdict(self), "packages": sorted(self.packages)}

    @property
    def installed(self) -> str:
        """What is there of the packages that levers need."""
        return ", ".join(
            f"{name} {'installed' if name in self.packages else 'not installed'}"
            for name in PACKAGES
        )

    @property
    def has_bfloat16(self) -> bool:
        """Whether the GPU multiplies in bfloat16."""
        return self.gpu is not None and self.capability >= (8, 0)

    @property
    def has_flash(self) -> bool:
        """Whether flash attention can run: both packages need an Ampere GPU or later."""
        return self.has_bfloat16 and bool({"flash_attn", "kernels"} & self.packages)


def read_machine(gpus: list[Gpu] | None = None) -> Machine:
    """Return this machine.

    Args:
        gpus: what it has; None asks the driver.
    """
    gpu = _likely(list_gpus() if gpus is None else gpus) if _torch_has_cuda() else None
    return Machine(
        gpu=gpu.name if gpu else None,
        capability=gpu.capability if gpu else (0, 0),
        packages=frozenset(name for name in PACKAGES if importlib.util.find_spec(name)),
        has_compiler=any(shutil.which(name) for name in ("cc", "gcc", "clang")),
    )


def _likely(gpus: list[Gpu]) -> Gpu | None:
    """Return the GPU that a job would claim now."""
    ordered = os.environ.get("CUDA_VISIBLE_DEVICES")
    if ordered is not None:
        names = [name.strip() for name in ordered.split(",") if name.strip()]
        gpus = [
            gpu
            for gpu in gpus
            for name in names
            if (gpu.index == int(name) if name.isdecimal() else gpu.uuid.startswith(name))
        ]
    return max(gpus, key=lambda gpu: (gpu.processes == 0, gpu.free_bytes), default=None)


def _torch_has_cuda() -> bool:
    """Tell whether the installed torch was built for GPUs; a wheel for CPUs says `+cpu`."""
    try:
        return "+cpu" not in importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        return False
