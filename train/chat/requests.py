"""What a program asks of `temper chat --json`, read beside the work. No torch."""

from __future__ import annotations

import json
import os
import queue
import threading
from dataclasses import dataclass, field
from typing import Any, TextIO


@dataclass
class Requests:
    """What comes in on a stream, read in a thread so that a stop is heard while an answer runs."""

    stream: TextIO
    loading: bool = True
    """Until the models are loaded, the end of the stream ends the process at once."""
    _waiting: queue.Queue[dict[str, Any] | None] = field(default_factory=queue.Queue)
    _stopped: set[Any] = field(default_factory=set)
    _closed: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        """Begin to read."""
        threading.Thread(target=self._read, name="requests", daemon=True).start()

    def _read(self) -> None:
        for line in self.stream:
            try:
                found = json.loads(line)
            except ValueError:
                found = {}
            if not isinstance(found, dict):
                found = {}
            if "stop" in found:
                self._stopped.add(str(found["stop"]))
            else:
                self._waiting.put(found)
        self._closed.set()
        self._waiting.put(None)
        if self.loading:  # nothing is written yet, and loading cannot be interrupted otherwise
            os._exit(0)

    def next(self, idle_seconds: float | None) -> dict[str, Any] | None:
        """Wait for the next request; None at the end, or when nobody asked for so long."""
        try:
            return self._waiting.get(timeout=idle_seconds)
        except queue.Empty:
            return None

    def is_stopped(self, identifier: Any) -> bool:
        """Whether this answer is to end: it was asked to, or nobody listens any more."""
        return self._closed.is_set() or str(identifier) in self._stopped
