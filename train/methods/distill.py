"""Knowledge distillation: rows as for `sft`, with another model's opinion of every token."""

from __future__ import annotations

from typing import ClassVar

from train.methods.sft import Sft


class Distill(Sft):
    """Divergence from a teacher on the tokens that the assistant wrote, and their cross-entropy."""

    name: ClassVar[str] = "distill"
    reads_images: ClassVar[bool] = False
