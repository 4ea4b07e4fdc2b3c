"""The GPUs of this machine as the driver describes them, and which of them a job may take.

`CUDA_VISIBLE_DEVICES` set by a person is an order and is obeyed.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from workspace.machine import own_processes

_BUSY_MEMORY_BYTES = 512 * 1024**2


@dataclass(frozen=True)
class Gpu:
    """A GPU as the driver describes it."""

    index: int
    uuid: str
    name: str
    total_bytes: int
    free_bytes: int
    processes: int
    """Compute processes on it, of any user; this process and what it started are left out."""
    capability: tuple[int, int] = (0, 0)
    """CUDA compute capability; (0, 0): the driver does not say."""

    @property
    def is_used_by_others(self) -> bool:
        """Whether processes of others work on it, as far as the driver tells."""
        used = self.total_bytes - self.free_bytes
        return bool(self.processes) and used > _BUSY_MEMORY_BYTES

    def __str__(self) -> str:
        return f"GPU {self.index} ({self.name})"


def list_gpus() -> list[Gpu]:
    """Return the NVIDIA GPUs of this machine, or none if there is no driver."""
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return []
    try:
        return [_describe(index) for index in range(pynvml.nvmlDeviceGetCount())]
    finally:
        pynvml.nvmlShutdown()


def _describe(index: int) -> Gpu:
    import pynvml

    handle = pynvml.nvmlDeviceGetHandleByIndex(index)
    memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
    try:
        found = {int(one.pid) for one in pynvml.nvmlDeviceGetComputeRunningProcesses(handle)}
        # torch keeps its context to the end of a process, also after a job in it has let go
        processes = len(found - own_processes()) if found else 0
    except pynvml.NVMLError:
        processes = 0
    try:
        major, minor = pynvml.nvmlDeviceGetCudaComputeCapability(handle)
    except pynvml.NVMLError:
        major = minor = 0
    return Gpu(
        index=index,
        uuid=_text(pynvml.nvmlDeviceGetUUID(handle)),
        name=_text(pynvml.nvmlDeviceGetName(handle)),
        total_bytes=int(memory.total),
        free_bytes=int(memory.free),
        processes=processes,
        capability=(int(major), int(minor)),
    )


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


@dataclass(frozen=True)
class Candidates:
    """The GPUs of which a job may take one."""

    gpus: tuple[Gpu, ...]
    """Empty: there is none that the driver lists."""
    told: str = ""
    """The order that was obeyed, in words; empty without one."""
    is_cpu: bool = False
    """There is no GPU, or the order is to use none."""

    @property
    def is_order(self) -> bool:
        """Whether a person named this one GPU, so that it is used even where others are on it."""
        return bool(self.told) and len(self.gpus) <= 1


def find_candidates(found: Sequence[Gpu]) -> Candidates:
    """Return what a job may take of the GPUs that were found, by CUDA_VISIBLE_DEVICES.

    One GPU named there is an order, also a slice of one (MIG) that the driver does not list; of
    several the freest is meant; none (empty or -1) is the CPU.
    """
    ordered = os.environ.get("CUDA_VISIBLE_DEVICES")
    if ordered is None:
        return Candidates(tuple(found), is_cpu=not found)
    names = [name.strip() for name in ordered.split(",") if name.strip()]
    told = f"CUDA_VISIBLE_DEVICES={ordered} was set: obeyed"
    if not names or names[0] == "-1":
        return Candidates((), told, is_cpu=True)
    gpus = tuple(dict.fromkeys(gpu for name in names for gpu in found if _is_named(gpu, name)))
    return Candidates(gpus, told if len(names) == 1 or not gpus else "")


def _is_named(gpu: Gpu, name: str) -> bool:
    """Tell whether a part of CUDA_VISIBLE_DEVICES means this GPU: its index, or how its UUID
    begins.
    """
    return gpu.index == int(name) if name.isdecimal() else gpu.uuid.startswith(name)
