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
    capability: tuple[int, int] = (0, 0)
    """CUDA compute capability; (0, 0): the driver does not say."""


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


@contextmanager
def claim(*, gpus: list[Gpu] | None = None) -> Iterator[Claim]:
    """Hold one free GPU, or the CPU where there is none, until the body ends.

    Must run before torch is imported: it sets `CUDA_VISIBLE_DEVICES` to the GPU's UUID. Where a
    person has set that variable, one GPU in it is an order and is obeyed even when it is busy;
    of several the freest is taken; none (empty or -1) is the CPU.

    Args:
        gpus: what the machine has; None asks the driver.

    Raises:
        WorkError: there are GPUs and all are taken.
    """
    ordered = os.environ.get("CUDA_VISIBLE_DEVICES")
    found = list_gpus() if gpus is None else gpus
    if ordered is None:
        candidates = found
    else:
        names = [name.strip() for name in ordered.split(",") if name.strip()]
        told = f"CUDA_VISIBLE_DEVICES={ordered} was set: obeyed"
        if not names or names[0] == "-1":
            yield Claim("cpu", told)
            return
        candidates = [gpu for name in names for gpu in found if _is_named(gpu, name)]
        if len(names) == 1 or not candidates:
            with _ordered(candidates[0] if candidates else None, told) as claimed:
                yield claimed
            return
    if not candidates:
        yield Claim("cpu", "no NVIDIA GPU was found")
        return
    gpu, lock = _freest(candidates)
    with lock:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu.uuid
        try:
            gigabytes = gpu.free_bytes / 1024**3
            yield Claim("cuda", f"GPU {gpu.index} {gpu.name}: {gigabytes:.0f} GiB free", gpu)
        finally:
            if ordered is None:
                os.environ.pop("CUDA_VISIBLE_DEVICES", None)
            else:
                os.environ["CUDA_VISIBLE_DEVICES"] = ordered


def _is_named(gpu: Gpu, name: str) -> bool:
    """Tell whether a part of CUDA_VISIBLE_DEVICES means this GPU: its index, or how its UUID
    begins.
    """
    return gpu.index == int(name) if name.isdecimal() else gpu.uuid.startswith(name)


@contextmanager
def _ordered(gpu: Gpu | None, told: str) -> Iterator[Claim]:
    """Obey an order for one GPU, locking it if nobody has, so that jobs without orders avoid it.

    None stands for one that the driver does not list, such as a slice of a GPU (MIG).
    """
    lock = _try_lock(gpu) if gpu else None
    with lock or contextlib.nullcontext():
        shared = ", though another temper job is on it" if gpu and lock is None else ""
        yield Claim("cuda", told + shared, gpu)


def _freest(gpus: list[Gpu]) -> tuple[Gpu, IO[bytes]]:
    """Return the GPU with the most free memory that nobody uses, and its lock."""
    refusals = []
    for gpu in sorted(gpus, key=lambda gpu: -gpu.free_bytes):
        used = gpu.total_bytes - gpu.free_bytes
        if gpu.processes and used > _BUSY_MEMORY_BYTES:
            count = f"{gpu.processes} process{'es' if gpu.processes > 1 else ''}"
            refusals.append(f"GPU {gpu.index} ({gpu.name}) has {count}")
            continue
        lock = _try_lock(gpu)
        if lock is not None:
            return gpu, lock
        refusals.append(f"GPU {gpu.index} ({gpu.name}) is used by a temper job")
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
