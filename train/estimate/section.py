"""The `plan:` section of a recipe."""

from __future__ import annotations

from pydantic import Field

from workspace.recipe import Section


class GpuSection(Section):
    """A GPU that `temper plan` compares."""

    name: str = Field(min_length=1)
    """As it is shown."""
    memory: float = Field(gt=0, allow_inf_nan=False)
    """GiB, as its driver reports it."""
    tflops: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Peak of dense bfloat16 arithmetic, in 10^12 operations a second. Left out: no hours."""
    price: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """US dollars an hour. Left out: no money."""


class PlanSection(Section):
    """What `temper plan` compares."""

    gpus: list[GpuSection] = Field(default_factory=list)
    """Your GPUs, in place of the built-in table; those in this machine always come first."""
