"""Where an attempt begins, and where a run stands among others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from train.checkpoints import Checkpoint


@dataclass(frozen=True)
class Start:
    """Where an attempt begins."""

    checkpoint: Checkpoint | None = None
    """None: from the base model."""

    @property
    def step(self) -> int:
        """Steps done before."""
        return self.checkpoint.step if self.checkpoint else 0


@dataclass(frozen=True)
class Place:
    """The place of a run, by itself or in a job of several."""

    run: str
    """The run's id, which a job of several has written down before."""
    fields: Mapping[str, Any] = field(default_factory=dict)
    """What its record says of the others."""
