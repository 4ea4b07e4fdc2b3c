"""What the GPUs of this machine do right now, as a program: a driver that hangs hangs only it.

    python -P -m workspace.gpu_meters

answers every line on its standard input with one line of JSON, and ends with its input. NVML is
asked first, then `nvidia-smi`; where there is neither the answer has no GPUs.
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import time
from contextlib import suppress
from typing import Any

_SMI_SECONDS = 20.0
"""After that `nvidia-smi` is killed, so that none is left behind when nobody waits any more."""
_QUEUE_SECONDS = 0.2
"""So long is a held queue waited for: who only looks must not seem to be a driver that hangs."""
_MIB = 1024**2
_GPU_FIELDS = "index,uuid,name,utilization.gpu,memory.used,memory.total,temperature.gpu"
_PROCESS_FIELDS = "gpu_uuid,pid,used_memory"


def measure() -> dict[str, Any]:
    """Return the GPUs with their processes, and who waits for them."""
    gpus = _by_nvml()
    if gpus is None:
        gpus = _by_smi()
    found = gpus or []
    return {"gpus": found, "waiting": _waiting() if found else []}


def _by_nvml() -> list[dict[str, Any]] | None:
    """Ask NVML; None where it is not there."""
    try:
        import pynvml
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()  # counted by NVML: a second time costs nothing
        count = pynvml.nvmlDeviceGetCount()
    except pynvml.NVMLError:
        return None
    return [_describe_or_name(pynvml, index) for index in range(count)]


def _describe_or_name(nvml: Any, index: int) -> dict[str, Any]:
    """Return a GPU, or of one that is lost its place alone: the others are still to be told of."""
    try:
        return _describe(nvml, index)
    except nvml.NVMLError:
        return {"index": index, "silent": True}


def _describe(nvml: Any, index: int) -> dict[str, Any]:
    handle = nvml.nvmlDeviceGetHandleByIndex(index)
    memory = nvml.nvmlDeviceGetMemoryInfo(handle)
    out: dict[str, Any] = {
        "index": index,
        "uuid": _text(nvml.nvmlDeviceGetUUID(handle)),
        "name": _text(nvml.nvmlDeviceGetName(handle)),
        "used_bytes": int(memory.used),
        "total_bytes": int(memory.total),
        "utilisation": None,
        "celsius": None,
        "processes": [],
    }
    with suppress(nvml.NVMLError):  # a GPU cut into slices (MIG) does not say
        out["utilisation"] = nvml.nvmlDeviceGetUtilizationRates(handle).gpu / 100
    with suppress(nvml.NVMLError):
        sensor = nvml.NVML_TEMPERATURE_GPU
        out["celsius"] = int(nvml.nvmlDeviceGetTemperature(handle, sensor))
    with suppress(nvml.NVMLError):
        running = nvml.nvmlDeviceGetComputeRunningProcesses(handle)
        out["processes"] = [_process(int(one.pid), one.usedGpuMemory) for one in running]
    return out


def _by_smi() -> list[dict[str, Any]] | None:
    """Ask `nvidia-smi`; None where it is not there or fails."""
    rows = _smi(f"--query-gpu={_GPU_FIELDS}")
    if rows is None:
        return None
    gpus: dict[str, dict[str, Any]] = {}
    for row in rows:
        if len(row) != 7:
            continue
        index, uuid, name, busy, used, total, heat = row
        utilisation = _number(busy)
        gpus[uuid] = {
            "index": int(_number(index) or 0),
            "uuid": uuid,
            "name": name,
            "used_bytes": int((_number(used) or 0) * _MIB),
            "total_bytes": int((_number(total) or 0) * _MIB),
            "utilisation": None if utilisation is None else utilisation / 100,
            "celsius": _number(heat),
            "processes": [],
        }
    for row in _smi(f"--query-compute-apps={_PROCESS_FIELDS}") or []:
        pid = _number(row[1]) if len(row) == 3 else None
        if pid is not None and row[0] in gpus:
            memory = int((_number(row[2]) or 0) * _MIB)
            gpus[row[0]]["processes"].append(_process(int(pid), memory))
    return [*gpus.values()]


def _smi(query: str) -> list[list[str]] | None:
    try:
        done = subprocess.run(
            ["nvidia-smi", query, "--format=csv,noheader,nounits"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SMI_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    if done.returncode:
        return None
    return [[cell.strip() for cell in row] for row in csv.reader(done.stdout.splitlines())]


def _process(pid: int, used: int | None) -> dict[str, Any]:
    """Return who a process is, and which processes it descends from."""
    import psutil

    out: dict[str, Any] = {"pid": pid, "lineage": [pid], "used_bytes": used or 0}
    with suppress(psutil.Error, OSError):
        process = psutil.Process(pid)
        out["name"] = process.name()
        out["user"] = process.username()
        out["lineage"] += [parent.pid for parent in process.parents()]
    return out


def _waiting() -> list[dict[str, Any]]:
    """Return who waits for a GPU of this machine, in order; none where nobody can tell."""
    from workspace.errors import TemperError
    from workspace.tickets import live_tickets, queue_lock

    try:
        with queue_lock(_QUEUE_SECONDS):
            tickets = live_tickets()
    except (TemperError, OSError):
        return []
    return [
        {
            "place": place,
            "job": ticket.owner.job,
            "kind": ticket.owner.kind,
            "workspace": ticket.owner.workspace,
            "user": ticket.owner.user,
            "seconds": max(0.0, time.time() - ticket.owner.since) if ticket.owner.since else 0.0,
        }
        for place, ticket in enumerate(tickets, 1)
    ]


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None  # `[N/A]`


def _text(value: str | bytes) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def main() -> int:
    """Answer line by line until the input ends."""
    for _ in sys.stdin:
        print(json.dumps(measure()), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
