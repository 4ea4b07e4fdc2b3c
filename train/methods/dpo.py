"""Direct preference optimisation: prefer the chosen answer to the rejected one.

Rafailov et al. 2023, arXiv 2305.18290. The losses are trl's; their papers are named in
`train.recipe`.
"""

from __future__ import annotations

from typing import ClassVar

from train.data import DataType
from train.methods.answers import PAIR
from train.methods.pairs import PairMethod


class Dpo(PairMethod):
    """Raise the likelihood of what was chosen over that of what was rejected."""

    name: ClassVar[str] = "dpo"
    accepts: ClassVar[tuple[DataType, ...]] = ("preference",)
    sequences: ClassVar[tuple[str, ...]] = PAIR
    reads_images: ClassVar[bool] = True
    rates: ClassVar[dict[tuple[str, bool], tuple[float, str]]] = {
        ("lora", False): (5e-6, "LoRA: ten times the rate for all weights"),
        ("lora", True): (
            5e-4,
            "LoRA on a model below 20 M parameters: measured on the built-in one",
        ),
        ("full", False): (5e-7, "all weights: the rate of Zephyr (arXiv 2310.16944)"),
        ("full", True): (
            5e-5,
            "all weights of a model below 20 M parameters: a tenth of LoRA's",
        ),
    }
