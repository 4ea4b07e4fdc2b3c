"""Peaks of memory, and what running out of it looks like. Imports torch when asked."""

from __future__ import annotations

import gc
import threading
from typing import Any, Self

_SAMPLED_EVERY_SECONDS = 0.005
# How torch says on a CPU that the system refused memory: a RuntimeError without a class of its own.
_CPU_ALLOCATOR = "DefaultCPUAllocator: can't allocate memory"


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that a device has too little memory."""
    import torch

    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and _CPU_ALLOCATOR in str(error)


def release() -> None:
    """Give back what nothing refers to any more.

    Frames of an error that is being handled refer to tensors: call it after the `except` block.
    """
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


class PeakMeter:
    """Measures how much memory was taken at the most, from entering on.

    On a GPU the allocator counts. On a CPU the resident set of this process is sampled every 5 ms
    by a thread: libraries that are loaded and buffers that are kept count as well.
    """

    def __init__(self, device: str) -> None:
        """Measure `cpu` or `cuda`."""
        self._on_gpu = device != "cpu"
        self._done = threading.Event()
        self._thread: threading.Thread | None = None
        self._before = self._highest = 0

    def __enter__(self) -> Self:
        release()
        self._before = self._now()
        self.restart()
        if not self._on_gpu:
            self._thread = threading.Thread(target=self._sample, daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *raised: Any) -> None:
        self._done.set()
        if self._thread is not None:
            self._thread.join()

    def restart(self) -> None:
        """Forget the peak; what was there on entering stays the zero."""
        self._highest = self._now()
        if self._on_gpu:
            import torch

            torch.cuda.reset_peak_memory_stats()

    @property
    def peak_bytes(self) -> int:
        """Bytes above what there was on entering."""
        if self._on_gpu:
            import torch

            return max(0, int(torch.cuda.max_memory_allocated()) - self._before)
        self._highest = max(self._highest, self._now())
        return max(0, self._highest - self._before)

    @property
    def reserved_bytes(self) -> int | None:
        """Bytes that the GPU's allocator held at the most, gaps included; None on a CPU."""
        if not self._on_gpu:
            return None
        import torch

        return int(torch.cuda.max_memory_reserved())

    def _now(self) -> int:
        if self._on_gpu:
            import torch

            return int(torch.cuda.memory_allocated())
        import psutil

        return int(psutil.Process().memory_info().rss)

    def _sample(self) -> None:
        while not self._done.wait(_SAMPLED_EVERY_SECONDS):
            self._highest = max(self._highest, self._now())
