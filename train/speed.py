"""The levers of speed for a person, and their last check on the device itself."""

from __future__ import annotations

from collections.abc import Mapping

from train.environment import Device
from train.plan.levers import FLASH
from train.plan.settings import Decided
from workspace.errors import WorkError


def told(levers: Mapping[str, Decided]) -> list[str]:
    """Return what is worth a line at the start of a run: levers that are on."""
    on = [
        f"{name} {one.value}"
        for name, one in levers.items()
        if name in ("packing", "padding_free", "checkpointing", "offload", "compile", "kernels")
        and one.value != "off"
    ]
    if levers["attention"].value != "default":
        on.append(f"attention {levers['attention'].value}")
    return [f"levers: {', '.join(on)}"] if on else []


def explained(levers: Mapping[str, Decided]) -> list[list[str]]:
    """Return a line for each lever: its name, value and reason."""
    return [[name, str(one.value), one.reason] for name, one in levers.items()]


def demand_levers(levers: Mapping[str, Decided], device: Device) -> None:
    """Refuse to go on where the plan counted on another device than torch has found.

    Raises:
        WorkError: with the way out.
    """
    needs_gpu = levers["attention"].value in FLASH.values() or "on" in (
        levers["kernels"].value,
        levers["offload"].value,
    )
    if needs_gpu and device.device == "cpu":
        raise WorkError(
            "the plan's levers need the GPU, and torch does not find one",
            cause=f"attention {levers['attention'].value}, {device.reason}.",
            cure="See `temper doctor`, or run on the CPU with CUDA_VISIBLE_DEVICES= (empty).",
        )
