"""What makes steps faster or smaller, and what each is when the recipe leaves it to `auto`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from workspace.recipe import Section


def _switch(value: Any) -> Any:
    """Accept `true` and `false` for `on` and `off`."""
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else value


Switch = Annotated[Literal["auto", "on", "off"], BeforeValidator(_switch)]
"""On, off, or what the machine and the model speak for."""
Packing = Annotated[Literal["auto", "off", "bfd"], BeforeValidator(_switch)]
Checkpointing = Annotated[Literal["auto", "off", "full", "selective"], BeforeValidator(_switch)]


class Speed(Section):
    """Levers of speed and memory. `temper train --explain-speed` prints what is chosen and why."""

    attention: Literal["auto", "sdpa", "eager", "flash"] = "auto"
    """How attention is computed: torch's own (`sdpa`), written out (`eager`: slow, much memory),
    or `flash`, which needs a GPU of 2020 or later, bfloat16, and the package `flash-attn` or
    `kernels` (which fetches a built one from the hub). Auto takes `flash` for sft where it is
    there."""
    checkpointing: Checkpointing = "auto"
    """What is forgotten in the forward pass and computed again in the backward: nothing (`off`),
    all but the layers' inputs (`full`: a third more computation), or all but those and what
    attention gave (`selective`, for sft). Auto is `full` on a GPU above 100 M parameters."""
    offload: Switch = "auto"
    """Keep what the backward pass needs in the CPU's memory: the smallest on a GPU, and slower.
    For methods that read rows (not grpo, rloo, orpo, simpo). Auto is off."""
    compile: Switch = "auto"
    """torch.compile: minutes before the first step, and again for each new shape of a
    micro-batch; faster after. Needs a C compiler, on a GPU triton. Auto is off, and
    says where it is worth a try."""
    kernels: Switch = "auto"
    """Replace layers by the hub's fused kernels (Liger's norms and MLPs), on a GPU with the
    package `kernels`; fetched at the first run. Auto is off."""
    fused: Switch = "auto"
    """One pass over the weights for each step of `adamw` in place of one for each operation. The
    numbers are equal to rounding. Auto is on."""
