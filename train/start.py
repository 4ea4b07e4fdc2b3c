"""Where an attempt begins."""

from __future__ import annotations

from dataclasses import dataclass

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
