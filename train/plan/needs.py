"""What a recipe needs of the installation, asked before anything is read."""

from __future__ import annotations

import importlib.util

from train.recipe import PeftAdapter, QloraAdapter, TrainSection
from train.trackers import check_trackers
from workspace.errors import UsageError

_BITSANDBYTES = frozenset(
    {"adamw_8bit", "paged_adamw_8bit", "lion", "lion_8bit", "paged_lion_8bit"}
)


def check_libraries(section: TrainSection) -> None:
    """Refuse a recipe whose adapter, optimiser or tracker needs a library that is not installed.

    Raises:
        UsageError: with the command that installs it.
    """
    check_trackers(section.trackers)
    if isinstance(section.adapter, QloraAdapter):
        what, where = "kind: qlora", "train.adapter"
    elif section.optimizer in _BITSANDBYTES:
        what, where = f"optimizer: {section.optimizer}", "train.optimizer"
    else:
        return
    if importlib.util.find_spec("bitsandbytes") is None:
        raise UsageError(
            f"{what} needs bitsandbytes, which is not installed",
            where=where,
            cure="pip install 'bitsandbytes>=0.46,<1'",
        )


def adalora_warnings(adapter: PeftAdapter, method: str) -> list[str]:
    """Return what AdaLoRA does not do as its paper says."""
    if method == "sft" or adapter.options.get("orth_reg_weight") == 0:
        return []
    return [
        f"AdaLoRA's pull towards orthogonal directions is part of the loss of sft only: {method} "
        "trains without it"
    ]
