"""What methods share that learn from a chosen and a rejected answer to one prompt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from train.data import DataRow, Message
from train.methods.answers import PAIR, answered_pair, assistant_turns
from train.methods.base import Method, Unusable
from train.rows import TokenSequence

if TYPE_CHECKING:
    from evalsuite.models.chat import ChatTokenizer


class PairMethod(Method):
    """Reads a row as two sequences: the prompt with the chosen answer, and with the rejected."""

    def encode(
        self, row: DataRow, tokenizer: ChatTokenizer
    ) -> tuple[TokenSequence, ...] | Unusable:
        """Return the prompt with either answer; both carry loss on one stretch at their end."""
        return answered_pair(row, tokenizer)

    def answers(self, row: DataRow) -> tuple[Sequence[Message], ...]:
        """Return the assistant's messages of either answer."""
        return tuple(assistant_turns(row, name) for name in PAIR)
