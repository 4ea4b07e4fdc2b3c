"""The recipe's `model` section."""

from __future__ import annotations

from typing import Literal

from workspace.recipe import Section

Quantization = Literal["nf4"]
"""How weights are held in fewer bits: NF4 in blocks of 64, their scales in 8 bits, computed in
bfloat16 (QLoRA, arXiv 2305.14314)."""


class ModelSection(Section):
    """Which base model to start from."""

    path: str
    """A model directory (relative to the recipe), a hub name such as `Qwen/Qwen3-0.6B`, or
    `builtin` for the small model that welltempered ships."""

    revision: str | None = None
    """Hub names only: a branch, tag or commit. It is resolved to a commit, which is recorded."""

    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """Precision of the weights while working. `auto`: float32 on a CPU, bfloat16 on a GPU that
    has it."""
