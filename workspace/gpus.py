"""One free GPU for a job: chosen by what the driver says, locked for the machine, told with why.

trl refuses two visible GPUs in one process, and two jobs on one GPU fail late. So a job claims
one before torch loads: not locked by another of our jobs, no other process on it, the most free
memory first. `CUDA_VISIBLE_DEVICES` set by a person is an order and is obeyed.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from workspace.errors import WorkError

_BUSY_MEMORY_BYTES = 512 * 1024**2
LOCKS = Path("/tmp/welltempered-gpu-locks")
"""The same for every user and whatever TMPDIR says: a lock guards a device, not a session."""


@dataclass(frozen=True)
class Gpu:
    """A GPU as the driver describes it."""

    index: int
    uuid: str
    name: str
    total_bytes: int
    free_bytes: int
    processes: int
    """Compute processes of any user on it."""


@dataclass(frozen=True)
class Claim:
    """The device a job works on, and why that one."""

    device: str
    """`cpu` or `cuda`."""
    reason: str
    gpu: Gpu | None = None


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
        processes = len(pynvml.nvmlDeviceGetComputeRunningProcesses(handle))
    except pynvml.NVMLError:
        processes = 0
    return Gpu(
        index=index,
        uuid=_text(pynvml.nvmlDeviceGetUUID(handle)),
        name=_text(pynvml.nvmlDeviceGetName(handle)),
        total_bytes=int(memory.total),
        free_bytes=int(memory.free),
        processes=processes,
    )


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


@contextmanager
def claim(*, gpus: list[Gpu] | None = None) -> Iterator[Claim]:
    """Hold one free GPU, or the CPU where there is none, until the body ends.

    Must run before torch is imported: it sets `CUDA_VISIBLE_DEVICES` to the GPU's UUID.

    Args:
        gpus: what the machine has; None asks the driver.

    Raises:
        WorkError: there are GPUs and all are taken.
    """
    ordered = os.environ.get("CUDA_VISIBLE_DEVICES")
    if ordered is not None:
        device = "cpu" if ordered.strip() in ("", "-1") else "cuda"
        yield Claim(device, f"CUDA_VISIBLE_DEVICES={ordered} was set: obeyed")
        return
    found = list_gpus() if gpus is None else gpus
    if not found:
        yield Claim("cpu", "no NVIDIA GPU was found")
        return
    refusals = []
    for gpu in sorted(found, key=lambda gpu: -gpu.free_bytes):
        used = gpu.total_bytes - gpu.free_bytes
        if gpu.processes and used > _BUSY_MEMORY_BYTES:
            refusals.append(f"GPU {gpu.index} ({gpu.name}) has {gpu.processes} processes")
            continue
        lock = _try_lock(gpu)
        if lock is None:
            refusals.append(f"GPU {gpu.index} ({gpu.name}) is used by a temper job")
            continue
        with lock:
            os.environ["CUDA_VISIBLE_DEVICES"] = gpu.uuid
            try:
                gigabytes = gpu.free_bytes / 1024**3
                yield Claim("cuda", f"GPU {gpu.index} {gpu.name}: {gigabytes:.0f} GiB free", gpu)
            finally:
                os.environ.pop("CUDA_VISIBLE_DEVICES", None)
        return
    raise WorkError(
        "every GPU is taken",
        cause=f"{'; '.join(refusals)}.",
        cure="Wait, stop one with `temper stop`, or choose with CUDA_VISIBLE_DEVICES=…",
    )


def _try_lock(gpu: Gpu) -> IO[bytes] | None:
    """Take the machine-wide lock of a GPU. The file is never removed: others may wait on it."""
    directory = LOCKS
    with contextlib.suppress(FileExistsError):
        directory.mkdir(parents=True)
        directory.chmod(0o1777)  # past the umask: every user of the machine takes locks here
    path = directory / f"{gpu.uuid}.lock"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        with contextlib.suppress(PermissionError):  # another user's file is open to all already
            os.fchmod(descriptor, 0o666)
    except PermissionError as error:
        raise WorkError(
            "the lock of this GPU cannot be opened",
            where=str(path),
            cause=f"{error.strerror}.",
            cure="Its owner can mend it: chmod 666 " + str(path),
        ) from error
    stream = os.fdopen(descriptor, "r+b")
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        stream.close()
        return None
    return stream
