"""One way of training on one GPU."""

from __future__ import annotations

from dataclasses import dataclass

from train.estimate.compute import Hours
from train.estimate.gpus import GpuType
from train.estimate.memory import Memory
from train.estimate.ways import WayName


@dataclass(frozen=True)
class Cell:
    """One way on one GPU."""

    gpu: GpuType
    way: WayName
    fits: bool
    is_tight: bool
    """Whether it fits with less than a tenth of the memory to spare."""
    micro_batch: int
    """Rows at once: the largest that fits, at most the planned; 1 if none fits."""
    checkpointing: bool
    memory: Memory
    hours: Hours | None
    money: Hours | None
    """US dollars, for the hours at the GPU's price."""
