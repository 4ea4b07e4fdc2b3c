"""What was read of the GPUs, as plain values. Nothing in an answer is trusted."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tui.records import number, whole, words

_MOST = 64


@dataclass(frozen=True)
class GpuProcess:
    """A process on a GPU."""

    pid: int
    lineage: tuple[int, ...]
    """The process and those that it descends from."""
    name: str
    user: str
    used_bytes: int


@dataclass(frozen=True)
class Gauge:
    """One GPU at one moment."""

    index: int
    name: str
    used_bytes: int
    total_bytes: int
    utilisation: float | None
    """Between 0 and 1; None where the driver does not say."""
    celsius: float | None
    processes: tuple[GpuProcess, ...] = ()
    is_silent: bool = False
    """The driver knows it and it does not answer: nothing but its index is known."""


@dataclass(frozen=True)
class Waiter:
    """A job that waits for a GPU of this machine, of any workspace and user."""

    place: int
    job: str
    kind: str
    workspace: str
    user: str
    seconds: float
    """How long it has waited, in whole minutes, so that a wait is no news by itself."""


@dataclass(frozen=True)
class GpuReport:
    """What is known of the GPUs."""

    gauges: tuple[Gauge, ...] = ()
    waiting: tuple[Waiter, ...] = ()
    silent_since: float | None = None
    """Since when the driver does not answer, in seconds since 1970; the gauges are of before."""
    said: str = ""
    """What is to be said instead of gauges."""


def parse_report(line: bytes) -> GpuReport:
    """Read one line of `workspace.gpu_meters`."""
    try:
        answer = json.loads(line)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        return GpuReport(said="The GPUs cannot be measured: the answer is not JSON.")
    return GpuReport(
        gauges=tuple(_gauge(one) for one in _objects(answer.get("gpus"))),
        waiting=tuple(_waiter(one) for one in _objects(answer.get("waiting"))),
    )


def _objects(found: Any) -> list[dict[str, Any]]:
    items = found[:_MOST] if isinstance(found, list) else []
    return [item for item in items if isinstance(item, dict)]


def _gauge(one: dict[str, Any]) -> Gauge:
    utilisation = number(one.get("utilisation"))
    return Gauge(
        index=whole(one.get("index")) or 0,
        name=words(one.get("name")).removeprefix("NVIDIA "),
        used_bytes=whole(one.get("used_bytes")) or 0,
        total_bytes=whole(one.get("total_bytes")) or 0,
        utilisation=None if utilisation is None else min(1.0, max(0.0, utilisation)),
        celsius=number(one.get("celsius")),
        processes=tuple(_process(found) for found in _objects(one.get("processes"))),
        is_silent=one.get("silent") is True,
    )


def _process(one: dict[str, Any]) -> GpuProcess:
    lineage = one.get("lineage")
    pids = [whole(pid) for pid in lineage] if isinstance(lineage, list) else []
    return GpuProcess(
        pid=whole(one.get("pid")) or 0,
        lineage=tuple(pid for pid in pids if pid is not None),
        name=words(one.get("name")),
        user=words(one.get("user")),
        used_bytes=whole(one.get("used_bytes")) or 0,
    )


def _waiter(one: dict[str, Any]) -> Waiter:
    return Waiter(
        place=whole(one.get("place")) or 0,
        job=words(one.get("job")),
        kind=words(one.get("kind")),
        workspace=Path(words(one.get("workspace"))).name,
        user=words(one.get("user")),
        seconds=(number(one.get("seconds")) or 0.0) // 60 * 60,
    )
