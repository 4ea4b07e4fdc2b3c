"""Supervised fine-tuning: learn to write the assistant's turns, or a plain text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from train.data import DataRow, DataType, Message
from train.methods.base import Method, Unusable, left_out, sequence
from train.rows import TokenSequence

if TYPE_CHECKING:
    from evalsuite.models.chat import ChatTokenizer


class Sft(Method):
    """Cross-entropy of the tokens that the assistant wrote, the end token included.

    A dataset of plain `text` is continued pre-training: every token is learnt.
    """

    name: ClassVar[str] = "sft"
    accepts: ClassVar[tuple[DataType, ...]] = ("messages", "prompt_completion", "text")
    sequences: ClassVar[tuple[str, ...]] = ("",)
    reads_images: ClassVar[bool] = True
    rates: ClassVar[dict[tuple[str, bool], tuple[float, str]]] = {
        ("lora", False): (2e-4, "LoRA: the rate of the QLoRA paper (arXiv 2305.14314, appendix B)"),
        ("lora", True): (
            2e-3,
            "LoRA on a model below 20 M parameters: measured on the built-in one",
        ),
        ("full", False): (2e-5, "all weights: a tenth of what adapters take"),
        ("full", True): (
            2e-4,
            "all weights of a model below 20 M parameters: a tenth of LoRA's",
        ),
    }

    def encode(
        self, row: DataRow, tokenizer: ChatTokenizer
    ) -> tuple[TokenSequence, ...] | Unusable:
        """Return the row as one sequence."""
        from evalsuite.models.rows import tokenise_row

        chat = tokenise_row(tokenizer, row.record)
        return left_out(chat) or (sequence(chat),)

    def answers(self, row: DataRow) -> tuple[Sequence[Message], ...]:
        """Return the assistant's messages; of a prompt, none is learnt."""
        if row.kind == "text":
            return ([{"role": "assistant", "content": row.record["text"]}],)
        turns = row.turns("messages" if row.kind == "messages" else "completion")
        return ([message for message in turns if message["role"] == "assistant"],)
