"""`temper doctor`: what this machine offers, and what will hurt later."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from typing import Literal

_STACK = ("torch", "transformers", "trl", "peft", "accelerate", "datasets", "polars", "textual")


@dataclass(frozen=True)
class Finding:
    """One thing looked at."""

    level: Literal["ok", "warn", "fail"]
    what: str
    found: str
    cure: str = ""


def examine() -> Iterator[Finding]:
    """Look at Python, the libraries, GPUs, the disk, the terminal and what a log-out does."""
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("ok" if sys.version_info >= (3, 11) else "fail", "python", version)
    yield from _libraries()
    yield from _gpus()
    free = shutil.disk_usage(".").free / 1024**3
    yield Finding(
        "ok" if free > 5 else "warn",
        "disk",
        f"{free:.0f} GiB free here",
        "" if free > 5 else "Checkpoints of a 7 B model need tens of GiB.",
    )
    yield from _terminal()
    yield _log_out()


def _libraries() -> Iterator[Finding]:
    for name in _STACK:
        try:
            yield Finding("ok", name, metadata.version(name))
        except metadata.PackageNotFoundError:
            yield Finding("fail", name, "not installed", f"pip install -c constraints.txt {name}")


def _gpus() -> Iterator[Finding]:
    from workspace.gpus import list_gpus

    gpus = list_gpus()
    if not gpus:
        yield Finding("ok", "gpu", "none that NVIDIA's driver knows: jobs run on the CPU")
    for gpu in gpus:
        free, total = gpu.free_bytes / 1024**3, gpu.total_bytes / 1024**3
        yield Finding(
            "ok",
            f"gpu {gpu.index}",
            f"{gpu.name}, {free:.0f} of {total:.0f} GiB free, {gpu.processes} processes",
        )


def _terminal() -> Iterator[Finding]:
    if not sys.stdout.isatty():
        yield Finding("ok", "terminal", "not a terminal: plain output")
        return
    size = shutil.get_terminal_size()
    small = size.columns < 80 or size.lines < 24
    yield Finding(
        "warn" if small else "ok",
        "terminal",
        f"{os.environ.get('TERM', 'unknown')}, {size.columns}×{size.lines}"
        + (", NO_COLOR" if os.environ.get("NO_COLOR") else ""),
        "The app is made for 80×24 and more." if small else "",
    )


def _log_out() -> Finding:
    from workspace.hangup import check_survival

    survival = check_survival()
    return Finding("ok" if survival.survives else "warn", "log-out", survival.reason, survival.cure)
