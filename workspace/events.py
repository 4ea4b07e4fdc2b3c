"""`events.jsonl`: an append-only file that one process writes and any number read.

A torn last line means "not yet", so a reader never needs a lock.
"""

from __future__ import annotations

import json
import math
import os
import time
from pathlib import Path
from typing import Any


def _finite(value: Any) -> Any:
    """JSON has no NaN: a reader that is not Python would fail on it, so it is written as text."""
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


class EventLog:
    """Appends events to a file; each call is one `write`, so lines of one writer never mix."""

    def __init__(self, path: Path, **common: Any) -> None:
        """Append to `path`; `common` fields (such as `attempt`) go into every event."""
        self.path = path
        self.common = common

    def append(self, kind: str, **fields: Any) -> None:
        """Append one event with its kind and the time in seconds since 1970."""
        event = {"kind": kind, "time": round(time.time(), 3), **self.common, **fields}
        line = json.dumps(_finite(event), ensure_ascii=False, allow_nan=False) + "\n"
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            if os.fstat(descriptor).st_size and not self._ends_whole():
                line = "\n" + line  # a torn line of a killed attempt must not swallow this one
            os.write(descriptor, line.encode())
        finally:
            os.close(descriptor)

    def _ends_whole(self) -> bool:
        with self.path.open("rb") as stream:
            stream.seek(-1, os.SEEK_END)
            return stream.read(1) == b"\n"


def read_events(path: Path, offset: int = 0) -> tuple[list[dict[str, Any]], int]:
    """Return the whole events after `offset` bytes, and the offset to continue from.

    Lines that are not JSON objects (torn by a crash) are passed over.
    """
    try:
        with path.open("rb") as stream:
            stream.seek(offset)
            data = stream.read()
    except FileNotFoundError:
        return [], offset
    end = data.rfind(b"\n") + 1
    events = []
    for line in data[:end].splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict):
            events.append(event)
    return events, offset + end


def last_attempts(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the metrics of each step from the last attempt that reached it, in step order.

    A resumed run repeats the steps after its checkpoint; the later attempt is what happened.
    """
    by_step: dict[int, dict[str, Any]] = {}
    for event in events:
        if event.get("kind") != "metrics" or not isinstance(event.get("step"), int):
            continue
        known = by_step.get(event["step"])
        if known is None or event.get("attempt", 1) >= known.get("attempt", 1):
            by_step[event["step"]] = event
    return [by_step[step] for step in sorted(by_step)]
