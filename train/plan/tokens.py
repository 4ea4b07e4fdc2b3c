"""Rows as the trainer will see them: token ids and which of them carry loss."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from train.data import ChatRow, DatasetRows
from workspace.errors import DataError, LimitExceeded, ModelError

if TYPE_CHECKING:
    from evalsuite.models.chat import ChatTokenizer

Reason = Literal["too_long", "no_trainable_tokens"]


@dataclass(frozen=True)
class TokenRow:
    """One row, tokenised."""

    row: ChatRow
    role: Literal["train", "replay"]
    input_ids: NDArray[np.int32]
    """Shape (tokens,)."""
    loss_mask: NDArray[np.bool_]
    """True where the token is learnt; shape (tokens,)."""
    cut_tokens: int = 0
    """Tokens taken off its end because the recipe asked for `too_long: cut`."""

    @property
    def tokens(self) -> int:
        """Length in tokens."""
        return len(self.input_ids)

    @property
    def trained(self) -> int:
        """Tokens that carry loss. The first token is never predicted."""
        return int(self.loss_mask[1:].sum())


@dataclass(frozen=True)
class DroppedRow:
    """A row that training will not see, and why."""

    row: ChatRow
    role: Literal["train", "replay"]
    tokens: int
    reason: Reason


@dataclass(frozen=True)
class Tokenised:
    """Every row of one dataset: kept or dropped."""

    kept: Sequence[TokenRow]
    dropped: Sequence[DroppedRow]


def tokenise(
    dataset: DatasetRows,
    tokenizer: ChatTokenizer,
    *,
    max_length: int,
    too_long: Literal["drop", "cut", "stop"],
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Tokenised:
    """Tokenise a dataset; every row comes out kept or dropped with its reason.

    Raises:
        LimitExceeded: a row is longer than `max_length` and `too_long` is `stop`.
        DataError: the chat template refuses a row.
    """
    kept: list[TokenRow] = []
    dropped: list[DroppedRow] = []
    for number, row in enumerate(dataset.rows):
        if number % 500 == 0:
            progress(number, len(dataset.rows))
        input_ids, mask = _encode(row, tokenizer)
        whole = len(input_ids)
        if whole > max_length:
            if too_long == "stop":
                raise _row_too_long(row, whole, max_length)
            if too_long == "drop":
                dropped.append(DroppedRow(row, dataset.role, whole, "too_long"))
                continue
            input_ids, mask = input_ids[:max_length], mask[:max_length]
        if not mask[1:].any():
            dropped.append(DroppedRow(row, dataset.role, whole, "no_trainable_tokens"))
            continue
        kept.append(TokenRow(row, dataset.role, input_ids, mask, whole - len(input_ids)))
    progress(len(dataset.rows), len(dataset.rows))
    return Tokenised(kept, dropped)


def check_vocabulary(
    rows: Sequence[TokenRow], pad_id: int, vocabulary: int | None, tokenizer: ChatTokenizer
) -> None:
    """Refuse token ids that the model has no weights for.

    Raises:
        ModelError: naming the token, and the row or the padding it is in.
    """
    from evalsuite.models.chat import unknown_token

    if vocabulary is None:
        return
    if pad_id >= vocabulary:
        raise unknown_token(tokenizer, pad_id, vocabulary, "the padding of short rows")
    for row in rows:
        if row.input_ids.max() >= vocabulary:
            where = f"{row.row.place} (id {row.row.row_id[:12]})"
            raise unknown_token(tokenizer, int(row.input_ids.max()), vocabulary, where)


def _encode(row: ChatRow, tokenizer: ChatTokenizer) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    from evalsuite.models.rows import tokenise_row

    try:
        chat = tokenise_row(tokenizer, row.record)
    except ModelError as error:
        if tokenizer.template is None:
            raise
        raise DataError(
            error.title,
            where=f"{row.place} (id {row.row_id[:12]})",
            cause=error.cause,
            cure="Mend or drop the row, and make the dataset again with `temper curate`.",
        ) from error
    ids = np.array(chat.input_ids, dtype=np.int32)
    return ids, np.array(chat.loss_mask, dtype=np.bool_)


def runs(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return start and end of each stretch of True.

    >>> runs(np.array([False, True, True, False, True]))
    [(1, 3), (4, 5)]
    """
    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False])).astype(np.int8)))
    return [(int(start), int(end)) for start, end in edges.reshape(-1, 2)]


def _row_too_long(row: ChatRow, tokens: int, max_length: int) -> LimitExceeded:
    return LimitExceeded(
        "a row is longer than max_length",
        where=f"{row.place} (id {row.row_id[:12]})",
        cause=f"It has {tokens:,} tokens; max_length is {max_length:,} and `too_long: stop`.",
        cure=f"Raise train.max_length to {tokens:,}, or set train.too_long to drop or cut.",
    )
