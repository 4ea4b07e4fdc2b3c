"""Direct preference optimisation: prefer the chosen answer to the rejected one.

Rafailov et al. 2023, arXiv 2305.18290. The losses are trl's; their papers are named in
`train.recipe`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from train.data import DataRow, DataType, Message
from train.methods.answers import PAIR, answered_pair, assistant_turns
from train.methods.base import Method, Unusable
from train.rows import TokenSequence

if TYPE_CHECKING:
    from evalsuite.models.chat import ChatTokenizer


class Dpo(Method):
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

    def encode(
        self, row: DataRow, tokenizer: ChatTokenizer
    ) -> tuple[TokenSequence, ...] | Unusable:
        """Return the prompt with either answer; both carry loss on one stretch at their end."""
        return answered_pair(row, tokenizer)

    def answers(self, row: DataRow) -> tuple[Sequence[Message], ...]:
        """Return the assistant's messages of either answer."""
        return tuple(assistant_turns(row, name) for name in PAIR)
