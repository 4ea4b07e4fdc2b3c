"""How far a run is, gathered from `events.jsonl` as it grows."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import orjson

from tui.records import number, whole, words
from tui.series import Pace, Series, SeriesBuilder
from tui.tail import Tail

_SHOWN_ELSEWHERE = {"kind", "time", "attempt", "schema_version"}
_LONGEST_EVENT_TEXT = 200


class Metrics(NamedTuple):
    """The latest training step."""

    step: int | None = None
    max_steps: int | None = None
    loss: float | None = None
    learning_rate: float | None = None
    grad_norm: float | None = None
    tokens_per_second: float | None = None


NO_METRICS = Metrics()


class Progress:
    """Follows one `events.jsonl`."""

    def __init__(self, path: Path) -> None:
        self._tail = Tail(path)
        self.pending = True
        """There may be events that were not read yet."""
        self.version = 0
        """Grows with every event, so that a reader sees at once whether anything changed."""
        self._clear()

    def _clear(self) -> None:
        self.metrics = Metrics()
        self.last_event = ""
        self._losses = SeriesBuilder()
        self._pace = Pace()

    @property
    def losses(self) -> Series:
        """The loss of every step, of the last attempt that reached it."""
        return self._losses.freeze()

    @property
    def remaining_seconds(self) -> float | None:
        """Time left at the latest pace."""
        if self.metrics.max_steps is None:
            return None
        return self._pace.remaining_seconds(self.metrics.max_steps)

    def read(self, budget: int) -> int:
        """Take in new events, at most `budget` bytes; return how many bytes were read."""
        chunk = self._tail.read(budget)
        if chunk.restarted:
            self._clear()
        latest = None
        for line in chunk.lines:
            try:
                event = orjson.loads(line)
            except orjson.JSONDecodeError:
                continue  # torn by a crash; the writer has begun a new line after it
            if not isinstance(event, dict):
                continue
            if event.get("kind") != "metrics":
                self.last_event = _told(event)
            elif self._take_step(event):
                latest = event
        if latest is not None:
            self.metrics = self._latest_metrics(latest)
        self.version += bool(chunk.lines) or chunk.restarted
        self.pending = chunk.more
        return chunk.bytes_read

    def _take_step(self, event: dict[str, Any]) -> bool:
        """Add a step to the curve; return whether it was one."""
        step, loss, time = whole(event.get("step")), number(event.get("loss")), event.get("time")
        if step is None or step < 0:
            return False
        if loss is not None:
            self._losses.add(step, loss)
        if isinstance(time, float | int):
            self._pace.add(time, step)
        return True

    def _latest_metrics(self, event: dict[str, Any]) -> Metrics:
        return Metrics(
            step=whole(event.get("step")),
            max_steps=whole(event.get("max_steps")) or self.metrics.max_steps,
            loss=number(event.get("loss")),
            learning_rate=number(event.get("learning_rate")),
            grad_norm=number(event.get("grad_norm")),
            tokens_per_second=number(event.get("tokens_per_second")),
        )


def _told(event: dict[str, Any]) -> str:
    """Return an event in a few words: its kind and its plain fields."""
    fields = [
        f"{key} {value}"
        for key, value in event.items()
        if key not in _SHOWN_ELSEWHERE and isinstance(value, str | int | float)
    ]
    return " · ".join([words(event.get("kind")) or "event", *fields])[:_LONGEST_EVENT_TEXT]
