"""What a way of learning is, as far as it can be known before a model is loaded.

A method says which rows it reads, which token sequences it makes of one, and what the assistant
wrote in each of them, against which the mask is proved. What it does with them is in
`train.trl_bridge`, in a module of the same name. Methods inherit from `Method`, whose defaults
say what most of them need.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol

import numpy as np

from train.data import DataRow, DataType, Message
from train.rows import JoinedRows, TokenSequence

if TYPE_CHECKING:
    from evalsuite.models.chat import ChatTokenizer, TokenisedChat
    from train.recipe import TrainSection


@dataclass(frozen=True)
class Unusable:
    """Why a row cannot be learnt from."""

    reason: str
    tokens: int


class Method(Protocol):
    """One way of learning."""

    name: ClassVar[str]
    accepts: ClassVar[tuple[DataType, ...]]
    """Types of dataset it learns from."""
    sequences: ClassVar[tuple[str, ...]]
    """Names of the token sequences of each row."""
    rates: ClassVar[dict[tuple[str, bool], tuple[float, str]]]
    """(adapter, is small) → highest learning rate where the recipe leaves it out, and why."""
    makes: ClassVar[Literal["language", "reward"]] = "language"
    """A model that writes, whose loss is on what the assistant wrote; or one that gives a whole
    chat a number, whose loss is on what is read at its last token."""
    least_at_once: ClassVar[int] = 1
    """Fewest rows in a micro-batch."""
    reads_images: ClassVar[bool] = False
    """Whether it learns from rows with images."""

    def encode(
        self, row: DataRow, tokenizer: ChatTokenizer
    ) -> tuple[TokenSequence, ...] | Unusable:
        """Return the sequences of a row.

        Raises:
            ModelError: the chat template refuses the row.
        """
        ...

    def answers(self, row: DataRow) -> tuple[Sequence[Message], ...]:
        """Return, for each sequence, the assistant's messages that it must train, in order."""
        ...

    def target(self, row: DataRow, section: TrainSection) -> float:
        """Return the number that the loss takes of a row beside its tokens, or nan for none.

        Raises:
            DataError: the row has one that cannot be used.
        """
        return nan

    def demand(self, section: TrainSection) -> None:
        """Refuse what can be refused before a row is read: settings, a missing trainer.

        Raises:
            UsageError: with the way out.
        """
        return None

    def inspect(self, section: TrainSection, rows: JoinedRows) -> list[str]:
        """Return warnings about the rows as a whole.

        Raises:
            DataError: they cannot be learnt from together.
        """
        return []


def sequence(chat: TokenisedChat) -> TokenSequence:
    """Return a tokenised chat as a sequence."""
    return TokenSequence(
        np.array(chat.input_ids, dtype=np.int32), np.array(chat.loss_mask, dtype=np.bool_)
    )


def left_out(chat: TokenisedChat) -> Unusable | None:
    """Return why none of a chat's answers can be learnt, where the template tells it."""
    if chat.trained_tokens or not chat.left_out:
        return None
    return Unusable(chat.left_out[max(chat.left_out)], len(chat.input_ids))
