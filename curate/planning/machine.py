"""What this machine has free, for this process."""

from __future__ import annotations

import shutil
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
"""Where Linux tells the limits of the process's group: version 2, or version 1 below `memory/`."""
_FILES = (
    ("memory.max", "memory.current", "memory.stat", "inactive_file"),
    (
        "memory/memory.limit_in_bytes",
        "memory/memory.usage_in_bytes",
        "memory/memory.stat",
        "total_inactive_file",
    ),
)


def free_memory_bytes(cgroup: Path = CGROUP) -> int:
    """Return the memory that this process may still take.

    The smaller of what the machine has available and what a container's limit leaves; pages of
    files that nobody uses count as free, for the system gives them up.

    Args:
        cgroup: directory of the group's files.
    """
    import psutil

    free = int(psutil.virtual_memory().available)
    for limit, used, statistics, reclaimable in _FILES:
        most, now = _number(cgroup / limit), _number(cgroup / used)
        if most is not None and now is not None:
            free = min(free, max(0, most - now + _entry(cgroup / statistics, reclaimable)))
    return free


def free_disk_bytes(path: Path) -> int:
    """Return the free space where `path` is, or will be."""
    place = next(one for one in (path, *path.absolute().parents) if one.is_dir())
    return shutil.disk_usage(place).free


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):  # no such file; `max`
        return None


def _entry(path: Path, name: str) -> int:
    try:
        entries = dict(line.split() for line in path.read_text().splitlines())
        return int(entries[name])
    except (OSError, ValueError, KeyError):
        return 0
