"""The events of a job since a moment, read from the end of its file backwards."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from tui.records import number

_BLOCK_BYTES = 256 << 10
_MOST_BYTES = 32 << 20


@dataclass(frozen=True)
class Recent:
    """What happened since, and how it stood before."""

    events: tuple[dict[str, Any], ...] = ()
    """In their order."""
    before: dict[str, Any] | None = None
    """The last training step before the moment."""


def events_since(path: Path, since: float) -> Recent:
    """Return the events after `since` and the last step before it.

    Reads no more than it needs, and at most 32 MiB; a file that is gone has no events.
    """
    try:
        if path.stat().st_mtime <= since:
            return Recent()
        with path.open("rb") as stream:
            return _read_back(stream, since)
    except OSError:
        return Recent()


def _read_back(stream: Any, since: float) -> Recent:
    place = stream.seek(0, 2)
    lowest = max(0, place - _MOST_BYTES)
    rest = b""
    found: list[dict[str, Any]] = []
    while place > lowest:
        start = max(lowest, place - _BLOCK_BYTES)
        stream.seek(start)
        lines = (stream.read(place - start) + rest).split(b"\n")
        place, rest = start, lines[0] if start else b""
        for line in reversed(lines[1:] if start else lines):
            event = _parsed(line)
            if event is None:
                continue
            time = number(event.get("time"))
            if time is None or time > since:
                found.append(event)
            elif event.get("kind") == "metrics":
                return Recent(tuple(reversed(found)), event)
    return Recent(tuple(reversed(found)))


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        event = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return event if isinstance(event, dict) else None
