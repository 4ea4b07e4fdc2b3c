"""What the driver says of the GPUs."""

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from workspace.gpus import list_gpus


def test_our_own_processes_are_not_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch's context stays on a GPU after a job in this process has let go of it."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    on_it = [os.getpid(), child.pid]
    stand_in = SimpleNamespace(
        NVMLError=OSError,
        nvmlInit=lambda: None,
        nvmlShutdown=lambda: None,
        nvmlDeviceGetCount=lambda: 1,
        nvmlDeviceGetHandleByIndex=lambda index: index,
        nvmlDeviceGetMemoryInfo=lambda _: SimpleNamespace(total=80 * 2**30, free=60 * 2**30),
        nvmlDeviceGetComputeRunningProcesses=lambda _: [SimpleNamespace(pid=one) for one in on_it],
        nvmlDeviceGetCudaComputeCapability=lambda _: (9, 0),
        nvmlDeviceGetUUID=lambda _: b"GPU-a",
        nvmlDeviceGetName=lambda _: "Test",
    )
    monkeypatch.setitem(sys.modules, "pynvml", stand_in)
    try:
        (gpu,) = list_gpus()
        assert gpu.processes == 0 and not gpu.is_used_by_others
        on_it.append(1)
        (gpu,) = list_gpus()
        assert gpu.processes == 1 and gpu.is_used_by_others
    finally:
        child.kill()
        child.communicate()
