"""`train.alarms`: when a run is told to be going wrong, and stopped."""

from __future__ import annotations

from pydantic import Field

from workspace.recipe import Section


class RunAlarms(Section):
    """Loss that is not finite always stops a run; the rest is set here."""

    divergence: float | None = Field(default=2.0, gt=1.0)
    """Stops when the mean loss of the last `window` steps is above this many times the lowest such
    mean so far, plus 1. null: never. Not for `grpo` and `rloo`, whose loss says nothing."""
    window: int = Field(default=20, ge=1)
    """Steps over which the loss is averaged."""
    stalled: float | None = Field(default=10.0, ge=2.0)
    """An alarm, which stops nothing, when no micro-batch was begun for this many times the
    rehearsed seconds of the longest step. null: never."""
    stalled_seconds: float = Field(default=60.0, gt=0.0)
    """The alarm for a stall waits at least this long; ten times it where nothing was rehearsed."""
