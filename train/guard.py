"""What a trainer is to watch for, beside what its method watches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from train.alarm_section import RunAlarms

COMPARED_STEPS = 5
"""First recorded steps that a resumed run must repeat."""
_UNREHEARSED = 10.0
"""Times the shortest stall, where nobody knows how long a step takes."""


@dataclass(frozen=True)
class Guard:
    """Alarms with what they are measured against."""

    alarms: RunAlarms = field(default_factory=RunAlarms)
    step_seconds: float | None = None
    """Rehearsed seconds of the longest step; None where none was rehearsed."""
    expected: Mapping[int, float] = field(default_factory=dict)
    """Losses recorded for steps after the checkpoint, which a resumed run must repeat."""
    tolerance: float = 0.0
    """By how much a repeated loss may differ."""

    @property
    def stall_seconds(self) -> float | None:
        """Seconds without a micro-batch that are an alarm, or None."""
        alarms = self.alarms
        if alarms.stalled is None:
            return None
        if self.step_seconds is None:
            return _UNREHEARSED * alarms.stalled_seconds
        return max(alarms.stalled_seconds, alarms.stalled * self.step_seconds)


def recorded_losses(events: Iterable[Mapping[str, Any]], *, after: int) -> dict[int, float]:
    """Return the first losses recorded after a step under what is in force now.

    What was recorded before a change that a person accepted, or before the micro-batch was
    halved, is left out: other numbers are right there.

    Args:
        events: of all attempts, in order.
        after: steps done at the checkpoint.
    """
    found: dict[int, float] = {}
    for event in events:
        if event.get("kind") in ("micro batch", "replanned"):
            found.clear()
        elif event.get("kind") == "metrics" and isinstance(event.get("loss"), float):
            found[int(event["step"])] = event["loss"]
    steps = [step for step in sorted(found) if step > after]
    return {step: found[step] for step in steps[:COMPARED_STEPS]}
