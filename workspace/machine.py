"""Facts about this machine that records need: who runs where, since which boot."""

from __future__ import annotations

import os
import socket
from pathlib import Path


def host() -> str:
    """Return this machine's name."""
    return socket.gethostname()


def boot_id() -> str:
    """Return an identifier of this boot, or an empty string where the system has none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def process_started(pid: int) -> float | None:
    """Return when process `pid` started, in seconds since 1970, or None if there is none.

    A process id is reused after some time; with its start time it names one process.
    """
    import psutil

    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return float(process.create_time())
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return None


def is_same_process(pid: int, started: float) -> bool:
    """Return whether `pid` is still the process that started at `started`."""
    now = process_started(pid)
    return now is not None and abs(now - started) < 1.0


def own_identity() -> dict[str, object]:
    """Return what names this process: pid, start time, host, boot."""
    pid = os.getpid()
    return {
        "pid": pid,
        "process_started": process_started(pid),
        "host": host(),
        "boot_id": boot_id(),
    }


def is_suspended(pid: int) -> bool:
    """Return whether process `pid` is stopped, as by Ctrl-Z; it may be any user's."""
    import psutil

    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_STOPPED)
    except (psutil.NoSuchProcess, psutil.AccessDenied, ValueError):
        return False


def is_own_or_ancestor(pid: int) -> bool:
    """Return whether `pid` is this process or one that it descends from."""
    import psutil

    return pid == os.getpid() or any(parent.pid == pid for parent in psutil.Process().parents())


def own_processes() -> frozenset[int]:
    """Return the ids of this process and of all that it started."""
    import psutil

    own = psutil.Process()
    return frozenset((own.pid, *(child.pid for child in own.children(recursive=True))))
