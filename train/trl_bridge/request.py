"""What a trainer is asked to do, and what it tells of each step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from train.checkpoints import CheckpointStore
from train.guard import Guard
from train.plan import Prepared
from train.probe.watch import ProbeWatch
from train.teacher import Teacher
from workspace.jobs import Job


@dataclass(frozen=True)
class StepReport:
    """What one optimiser step showed."""

    step: int
    max_steps: int
    loss: float
    """What was minimised; for `sft` the mean cross-entropy over the trained tokens, in nats."""
    grad_norm: float
    """Before clipping."""
    learning_rate: float
    tokens_per_second: float
    """Tokens of the step, padding not counted, by its wall time."""
    eta_seconds: float
    values: Mapping[str, float] = field(default_factory=dict)
    """What else the method measures, by trl's names, such as `rewards/accuracies`."""


def arithmetic_of(request: FitRequest) -> Any:
    """Return the context that accelerate puts round the forward pass, for passes beside it."""
    import torch

    return torch.autocast(
        request.device, dtype=torch.bfloat16, enabled=request.precision == "bfloat16"
    )


@dataclass(frozen=True)
class FitRequest:
    """What the trainer needs beside the model."""

    prepared: Prepared
    store: CheckpointStore
    job: Job
    pad_id: int
    device: str
    """`cpu` or `cuda`."""
    precision: str
    """`float32` or `bfloat16`."""
    report: Callable[[StepReport], None]
    resume_from: Path | None = None
    note: Callable[[str], None] = lambda text: None
    """Tells a person one fact."""
    guard: Guard = field(default_factory=Guard)
    """What to watch for."""
    base_dir: Path = Path()
    """Of the recipe: its relative paths begin here."""
    teacher: Teacher | None = None
    """What is learnt from, for `distill`."""
    probe: ProbeWatch | None = None
    """What is asked while training."""
