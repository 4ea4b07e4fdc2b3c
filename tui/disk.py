"""How much room the disk of a workspace has, told only when it changed by something."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from tui.snapshot import Disk

_PERIOD_SECONDS = 10.0
_SMALLEST_SHARE = 0.05
"""A change that is told; what every program writes now and then is not."""


class DiskGauge:
    """Measures now and then."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._next = 0.0
        self._told: Disk | None = None

    def get(self) -> Disk | None:
        """Return the room there is; the same object while it is much the same."""
        now = time.monotonic()
        if now < self._next:
            return self._told
        self._next = now + _PERIOD_SECONDS
        try:
            found = shutil.disk_usage(self._root)
        except OSError:
            return self._told
        before = self._told.free_bytes if self._told is not None else -1
        if before < 0 or abs(found.free - before) > _SMALLEST_SHARE * max(before, 1):
            self._told = Disk(found.free, found.total)
        return self._told
