"""`train.each`: one adapter for each group of rows."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from train.adapter_sections import Adapter, LoraAdapter, QloraAdapter
from workspace.recipe import Section


class Each(Section):
    """Trains an adapter for each value of a column, on one loaded base, as runs of their own."""

    column: str = Field(min_length=1)
    """Whose values are the groups: a column of the rows, or `meta.FIELD`."""
    min_rows: int = Field(default=20, ge=1)
    """Groups with fewer rows are too small to be learnt from."""
    left_out: Literal["stop", "skip"] = "stop"
    """What becomes of groups that are too small and of rows without a value: the run stops and
    says which, or they are left out and counted."""


def _by_name(value: Any) -> Any:
    """Accept `each: customer` for `each: {column: customer}`."""
    return {"column": value} if isinstance(value, str) else value


EachChoice = Annotated[Each, BeforeValidator(_by_name)]


def refusal(adapter: Adapter, method: str) -> str | None:
    """Return why an adapter or a method cannot be trained for each group, or None if it can.

    Every group must find the base as it is on disk, though it is loaded once.
    """
    if not isinstance(adapter, LoraAdapter | QloraAdapter):
        what = "full" if adapter.kind == "full" else f"peft {adapter.tuner}"
        return f"adapter lora or qlora with each, not {what}: all groups share one base, and " + (
            "full would change its weights"
            if adapter.kind == "full"
            else "only of these two it is known that they leave it as it was"
        )
    if adapter.changes_base:
        assert isinstance(adapter, LoraAdapter)
        changed = f"init {adapter.init}" if adapter.splits_weights else f"bias {adapter.bias}"
        return (
            f"no {changed} with each: it changes the base's own weights, which the next group "
            "would begin from"
        )
    if method == "reward":
        return "no each with method reward: a reward model is published whole, with its base"
    if method == "rft":
        return "no each with method rft: it draws its rows itself; take each on the rows it kept"
    return None
