"""Ways to adapt a model, and what a method puts on the device beside the rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from train.adapter_sections import LowRank

if TYPE_CHECKING:
    from train.recipe import TrainSection

WayName = Literal["full", "lora", "qlora"]
Optimizer = Literal["adamw", "adamw_8bit"]
WAYS: tuple[WayName, ...] = ("full", "lora", "qlora")
TITLES: dict[WayName, str] = {"full": "full", "lora": "LoRA", "qlora": "QLoRA"}
CHECKPOINTED_ABOVE = 100_000_000
"""Weights above which training on a GPU recomputes activations."""


@dataclass(frozen=True)
class Way:
    """How the weights are trained."""

    name: WayName
    r: int = 16
    targets: str | list[str] = "all-linear"
    trained_tokens: int = 0
    """Rows of the embedding that an adapter trains too."""
    optimizer: Optimizer = "adamw"
    weight_bytes: int = 2
    """Bytes of each weight that is loaded unquantised."""

    @property
    def adapter_bytes(self) -> int:
        """Bytes of each adapter weight, its gradient, and each Adam moment.

        peft keeps adapters in float32; trl casts them to bfloat16 where the base is quantised.
        """
        return 2 if self.name == "qlora" else 4

    @property
    def moments_bytes(self) -> float:
        """Bytes of both Adam moments of a trained weight.

        In 8 bits, each block of 256 has a float32 constant (arXiv 2110.02861).
        """
        if self.optimizer == "adamw_8bit":
            return 2 * (1 + 4 / 256)
        return 2.0 * (4 if self.name == "full" else self.adapter_bytes)


def ways(section: TrainSection | None, optimizer: Optimizer, dtype: str) -> tuple[Way, ...]:
    """Return full, LoRA and QLoRA with the recipe's rank and targets, LoRA's defaults without.

    Args:
        section: the recipe's `train`.
        optimizer: for all three.
        dtype: `model.dtype`. Full training keeps float32 weights unless it says bfloat16, because
            updates smaller than bfloat16 can hold would be lost; adapters bfloat16 unless it says
            float32.
    """
    adapter = section.adapter if section else None
    made = Way("lora", optimizer=optimizer)
    if isinstance(adapter, LowRank):
        made = replace(
            made,
            r=adapter.r,
            targets=adapter.targets,
            trained_tokens=len(adapter.trainable_tokens),
        )
    return (
        replace(made, name="full", weight_bytes=2 if dtype == "bfloat16" else 4),
        replace(made, weight_bytes=4 if dtype == "float32" else 2),
        replace(made, name="qlora", weight_bytes=4 if dtype == "float32" else 2),
    )


def way_of(section: TrainSection | None) -> WayName:
    """Return the way that a recipe takes; LoRA without one."""
    kind: str = section.adapter.kind if section is not None else "lora"
    return next((way for way in WAYS if way == kind), "lora")


@dataclass(frozen=True)
class Demand:
    """What a method does with a row."""

    sequences: int = 1
    """Sequences of each row that go through the model together."""
    reference: Literal["none", "same", "model"] = "none"
    """What it is compared with: nothing, the same weights (adapter off, or computed before the
    first step), or a second model in memory."""
    reference_parameters: int | None = None
    """Weights of that second model; None: as many as the first."""
    note: str = ""


_DEMANDS = {
    "sft": Demand(),
    "distill": Demand(note="the teacher's weights are counted once there are rows to plan"),
    "dpo": Demand(2, "same"),
    "kto": Demand(2, "same", note="the answer and a mismatched one for the KL term"),
}


def demand_of(method: str) -> Demand:
    """Return what a method needs; of one that is not known here, by its sequences."""
    if method in _DEMANDS:
        return _DEMANDS[method]
    from train.methods import METHODS  # imports numpy

    count = len(METHODS[method].sequences) if method in METHODS else 1
    return Demand(count, note=f"{method} is counted by its sequences alone")
