"""`temper doctor`: what this machine offers, and what will hurt later."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata

from tui.findings import Finding
from tui.gpus.reading import parse_report
from tui.terminal_checks import examine_round_trip, examine_terminal

_DRIVER_SECONDS = 10.0
_STACK = ("torch", "transformers", "trl", "peft", "accelerate", "datasets", "polars", "textual")


def examine(*, in_app: bool = False) -> Iterator[Finding]:
    """Look at Python, the libraries, GPUs, the disk, the terminal and what a log-out does.

    Args:
        in_app: the app has the terminal, so that it cannot be asked for its round trip here.
    """
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
    if in_app or sys.stdout.isatty():
        yield from examine_terminal(os.environ)
    else:
        yield Finding("ok", "terminal", "not a terminal: plain output")
    if not in_app and sys.stdin.isatty() and sys.stdout.isatty():
        yield examine_round_trip()
    yield _hang_up()
    yield _log_out()


def _libraries() -> Iterator[Finding]:
    for name in _STACK:
        try:
            yield Finding("ok", name, metadata.version(name))
        except metadata.PackageNotFoundError:
            yield Finding("fail", name, "not installed", f"pip install -c constraints.txt {name}")


def _gpus() -> Iterator[Finding]:
    """Ask the driver in another process: one that hangs must not hang this."""
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "workspace.gpu_meters"],
            input=b"\n",
            capture_output=True,
            timeout=_DRIVER_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        yield Finding(
            "fail", "gpu", f"the driver did not answer within {_DRIVER_SECONDS:.0f} s",
            "Look at `nvidia-smi` and `dmesg`; a driver that hangs needs a restart.",
        )  # fmt: skip
        return
    report = parse_report(done.stdout)
    if report.said:
        yield Finding("warn", "gpu", report.said)
    elif not report.gauges:
        yield Finding("ok", "gpu", "none that NVIDIA's driver knows: jobs run on the CPU")
    for gauge in report.gauges:
        if gauge.is_silent:
            yield Finding(
                "fail", f"gpu {gauge.index}", "does not answer",
                "Look at `dmesg` for Xid; a GPU that is lost needs a restart of the machine.",
            )  # fmt: skip
            continue
        free = (gauge.total_bytes - gauge.used_bytes) / 1024**3
        yield Finding(
            "ok",
            f"gpu {gauge.index}",
            f"{gauge.name}, {free:.0f} of {gauge.total_bytes / 1024**3:.0f} GiB free, "
            f"{len(gauge.processes)} processes",
        )


def _hang_up() -> Finding:
    from workspace.hangup import outlives_hang_up

    outlives = outlives_hang_up()
    if outlives is None:
        return Finding(
            "warn", "hang-up", "whether a job outlives its terminal could not be tried",
            "No terminal or process could be had: look at `ulimit -u` and /dev/pts.",
        )  # fmt: skip
    if outlives:
        return Finding("ok", "hang-up", "a job started from here outlives its terminal (tried)")
    return Finding(
        "fail", "hang-up", "a job started from here died with its terminal (tried)",
        "Start jobs by: systemd-run --user --scope temper train …",
    )  # fmt: skip


def _log_out() -> Finding:
    from workspace.hangup import check_survival

    survival = check_survival()
    return Finding("ok" if survival.survives else "warn", "log-out", survival.reason, survival.cure)
