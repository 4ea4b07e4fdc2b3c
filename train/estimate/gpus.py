"""GPUs that a plan compares: memory, peak and price."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from workspace.errors import UsageError

if TYPE_CHECKING:
    from train.estimate.section import PlanSection
    from workspace.gpus import Gpu

GIB = 1024**3
PRICES_FROM = "mid-2025"
"""When the prices below were those of several GPU clouds, rounded."""
_SERVER = (0.30, 0.50)
_CARD = (0.35, 0.60)
"""Model FLOPs utilisation reached by single-GPU training of dense models: a rule of thumb. Cards
with less memory bandwidth for each operation are there with their lower peak."""


@dataclass(frozen=True)
class GpuType:
    """One kind of GPU."""

    name: str
    memory_gib: float
    """As its driver reports it, which may be less than on the box."""
    tflops: float | None
    """Peak of dense bfloat16 arithmetic with float32 sums, in 10^12 operations a second."""
    price: float | None
    """US dollars an hour."""
    utilisation: tuple[float, float] = _SERVER
    """Lowest and highest part of the peak that training is expected to reach."""
    is_here: bool = False
    """Whether it is in this machine."""

    @property
    def memory_bytes(self) -> int:
        """Its memory in bytes."""
        return int(self.memory_gib * GIB)


TABLE = (
    GpuType("RTX 3090", 24.0, 71, 0.25, _CARD),
    GpuType("RTX 4090", 24.0, 165, 0.45, _CARD),
    GpuType("RTX 5090", 31.8, 210, 0.70, _CARD),
    GpuType("L4", 22.5, 121, 0.70, _CARD),
    GpuType("A10", 22.5, 125, 0.80, _CARD),
    GpuType("L40S", 45.0, 362, 1.0, _SERVER),
    GpuType("A100 40GB", 39.6, 312, 1.3, _SERVER),
    GpuType("A100 80GB", 80.0, 312, 1.7, _SERVER),
    GpuType("H100 80GB", 79.6, 989, 2.7, _SERVER),
    GpuType("H200", 140.4, 989, 3.5, _SERVER),
    GpuType("B200", 179.0, 2250, 5.5, _SERVER),
)
"""Peaks from the makers' data sheets (dense, SXM where there are several forms)."""


def compared(
    section: PlanSection | None, given: Sequence[str], prices: Sequence[str], here: Sequence[Gpu]
) -> list[GpuType]:
    """Return the GPUs to compare: this machine's first, then those given, or else the table.

    Args:
        section: the recipe's `plan`.
        given: `--gpu` texts, `NAME` of the table or `NAME:GIB[:TFLOPS[:PRICE]]`.
        prices: `--price` texts, `NAME=DOLLARS`.
        here: GPUs that the driver lists.

    Raises:
        UsageError: a text that is neither; a price for a GPU that is not compared.
    """
    own = [_own(gpu) for gpu in {gpu.name: gpu for gpu in here}.values()]
    listed = [parse_gpu(text) for text in given]
    if section is not None and not listed:
        listed = [GpuType(one.name, one.memory, one.tflops, one.price) for one in section.gpus]
    out = own + (listed or list(TABLE))
    for text in prices:
        out = _priced(out, text)
    return out


def parse_gpu(text: str) -> GpuType:
    """Return the GPU that `--gpu` names.

    >>> parse_gpu("My card:16:50:0.2").memory_gib
    16.0

    Raises:
        UsageError: neither a name of the table nor memory in GiB.
    """
    name, *numbers = (part.strip() for part in text.split(":"))
    if not numbers and (found := _named(name)):
        return found
    try:
        values = [float(number) for number in numbers]
        if not name or not 1 <= len(values) <= 3 or not all(0 < one < math.inf for one in values):
            raise ValueError
    except ValueError as error:
        from workspace.problems import did_you_mean

        hint = did_you_mean(name, [one.name for one in TABLE])
        raise UsageError(
            "this is no GPU",
            where=f"--gpu {text}",
            cause="Expected a name of the table or NAME:GIB[:TFLOPS[:PRICE]], such as "
            "`My card:16:50:0.2`.",
            cure=f"{hint} The table has {', '.join(one.name for one in TABLE)}.".strip(),
        ) from error
    memory, tflops, price, *_ = [*values, None, None]
    assert memory is not None
    return GpuType(name, memory, tflops, price)


def _named(name: str) -> GpuType | None:
    """Return the GPU of the table whose name is meant, in any case, unless several are."""
    wanted = name.casefold()
    found = [one for one in TABLE if wanted and wanted in one.name.casefold()]
    exact = [one for one in found if one.name.casefold() == wanted]
    found = exact or found
    return found[0] if len(found) == 1 else None


def _own(gpu: Gpu) -> GpuType:
    """Return a GPU of this machine, with the peak of its kind where the table has it."""
    memory = gpu.total_bytes / GIB
    words = set(gpu.name.replace("-", " ").split())
    if "Laptop" in words:  # another chip under the same name
        return GpuType(gpu.name, memory, None, None, is_here=True)
    for one in sorted(TABLE, key=lambda one: abs(one.memory_gib - memory)):
        if set(one.name.removesuffix("40GB").removesuffix("80GB").split()) <= words:
            return replace(one, name=gpu.name, memory_gib=memory, price=None, is_here=True)
    return GpuType(gpu.name, memory, None, None, is_here=True)


def _priced(gpus: list[GpuType], text: str) -> list[GpuType]:
    name, _, number = text.rpartition("=")
    try:
        price = float(number)
        if not name.strip() or not 0 <= price < math.inf:
            raise ValueError
    except ValueError as error:
        raise UsageError(
            "this is no price",
            where=f"--price {text}",
            cause="Expected NAME=DOLLARS an hour, such as `H100=2.5`.",
        ) from error
    wanted = name.strip().casefold()
    exact = [one for one in gpus if one.name.casefold() == wanted]
    meant = exact or [one for one in gpus if wanted in one.name.casefold()]
    if not meant:
        raise UsageError(
            "no GPU that is compared has this name",
            where=f"--price {text}",
            cause=f"Compared are {', '.join(one.name for one in gpus)}.",
        )
    return [replace(one, price=price) if one in meant else one for one in gpus]
