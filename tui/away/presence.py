"""When the last key was pressed, kept for each workspace in the user's state directory."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from tui.records import number
from workspace.files import write_json

AWAY_SECONDS = 300.0
"""A key after so long is that of somebody who comes back."""
AT_START_SECONDS = 60.0
_WRITE_SECONDS = 60.0


def state_file(root: Path, environment: Mapping[str, str] = os.environ) -> Path:
    """Return where the time is kept: in `XDG_STATE_HOME`, never in the workspace."""
    import hashlib  # the first paint needs none of the cryptography below it

    base = environment.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    name = hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:16]
    return Path(base) / "temper" / "seen" / f"{name}.json"


class Presence:
    """Follows the keys."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._started = self._last = self._written = time.time()
        self._since: float | None = None
        self._is_read = False
        """Whether it is known when the last key before this start was pressed."""

    def _read(self) -> float | None:
        try:
            record = json.loads(state_file(self._root).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return number(record.get("last_key")) if isinstance(record, dict) else None

    def pressed(self) -> None:
        """Note a key; now and then write its time, from a thread."""
        now = time.time()
        if now - self._last > AWAY_SECONDS:
            self._since = self._last
        self._last = now
        if now - self._written > _WRITE_SECONDS:
            self._written = now
            threading.Thread(target=self.write, daemon=True).start()

    def take(self) -> float | None:
        """Return since when nobody was there, once."""
        since, self._since = self._since, None
        if not self._is_read:
            self._is_read = True
            before = self._read()
            if before is not None and self._started - before > AT_START_SECONDS:
                return before
        return since

    def write(self) -> None:
        """Keep the time of the last key; a state directory that refuses is no harm."""
        with suppress(Exception):
            path = state_file(self._root)
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            record = {"schema_version": 1, "workspace": str(self._root), "last_key": self._last}
            write_json(path, record)
