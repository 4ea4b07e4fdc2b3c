"""From rows to token sequences: every row is kept or dropped with its reason."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import nan
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from train.data import DataRow, DatasetRows
from train.methods.base import Method, Unusable
from train.methods.reinforcement import Reinforcement
from train.rows import DroppedRow, JoinedRows, RowBuilder, TokenRow, TokenRows, TokenSequence
from workspace.errors import DataError, LimitExceeded, ModelError

if TYPE_CHECKING:
    from evalsuite.models.chat import ChatTokenizer

TooLong = Literal["drop", "cut", "stop"]


@dataclass(frozen=True)
class Tokenised:
    """Every row of one dataset: kept or dropped."""

    kept: TokenRows
    dropped: Sequence[DroppedRow]
    lengths: NDArray[np.int64]
    """Tokens of each row's longest sequence, nothing cut; 0 for those that could not be tokenised;
    shape (rows of the dataset,)."""


def tokenise(
    dataset: DatasetRows,
    tokenizer: ChatTokenizer,
    method: Method,
    *,
    max_length: int,
    too_long: TooLong,
    target: Callable[[DataRow], float] = lambda row: nan,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Tokenised:
    """Tokenise a dataset.

    Args:
        dataset: what was read.
        tokenizer: of the model.
        method: makes the sequences of a row.
        max_length: tokens of the longest sequence allowed.
        too_long: what becomes of longer ones.
        target: what the loss takes of a row beside its tokens.
        progress: is told rows done and rows in all.

    Raises:
        LimitExceeded: a row is longer than `max_length` and `too_long` is `stop`.
        DataError: the chat template refuses a row.
    """
    kept = RowBuilder(dataset, len(method.sequences))
    dropped: list[DroppedRow] = []
    lengths = np.zeros(len(dataset.rows), dtype=np.int64)
    carry_loss = not isinstance(method, Reinforcement)
    image = tokenizer.vision.token_id if tokenizer.vision and dataset.pictures else None
    for number, row in enumerate(dataset.rows):
        if number % 500 == 0:
            progress(number, len(dataset.rows))
        encoded = _encode(row, tokenizer, method)
        if not isinstance(encoded, Unusable):
            lengths[number] = max(one.tokens for one in encoded)
        found = _fitted(row, encoded, max_length, too_long, carry_loss=carry_loss, image=image)
        if isinstance(found, Unusable):
            dropped.append(
                DroppedRow(
                    row.row_id, row.source, row.place, dataset.role, found.tokens, found.reason
                )
            )
        else:
            kept.add(number, row, *found, target(row))
    progress(len(dataset.rows), len(dataset.rows))
    return Tokenised(kept.rows(), dropped, lengths)


def _fitted(
    row: DataRow,
    encoded: tuple[TokenSequence, ...] | Unusable,
    max_length: int,
    too_long: TooLong,
    *,
    carry_loss: bool,
    image: int | None = None,
) -> tuple[tuple[TokenSequence, ...], int] | Unusable:
    """Return the sequences within `max_length` and the tokens cut off, or why there are none."""
    if isinstance(encoded, Unusable):
        return encoded
    whole = sum(one.tokens for one in encoded)
    longest = max(one.tokens for one in encoded)
    if longest > max_length:
        if too_long == "stop":
            raise _row_too_long(row, longest, max_length)
        if too_long == "drop":
            return Unusable("too_long", whole)
        if image is not None and any(
            (one.input_ids[max_length:] == image).any() for one in encoded
        ):
            return Unusable("image_cut", whole)
        encoded = tuple(
            replace(one, input_ids=one.input_ids[:max_length], loss_mask=one.loss_mask[:max_length])
            for one in encoded
        )
    if carry_loss and not all(one.trained for one in encoded):
        return Unusable("no_trainable_tokens", whole)
    return encoded, whole - sum(one.tokens for one in encoded)


def check_vocabulary(
    rows: JoinedRows, pad_id: int, vocabulary: int | None, tokenizer: ChatTokenizer
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
    for part in rows.parts:
        unknown = np.flatnonzero(part.ids >= vocabulary)
        if unknown.size:
            at = int(np.searchsorted(part.offsets, unknown[0], side="right")) - 1
            row = part[at // part.per_row]
            where = f"{row.row.place} (id {row.row_id[:12]})"
            raise unknown_token(tokenizer, int(part.ids[unknown[0]]), vocabulary, where)


def _encode(
    row: DataRow, tokenizer: ChatTokenizer, method: Method
) -> tuple[TokenSequence, ...] | Unusable:
    try:
        return method.encode(row, tokenizer)
    except ModelError as error:
        if tokenizer.template is None:
            raise
        raise DataError(
            error.title,
            where=f"{row.place} (id {row.row_id[:12]})",
            cause=error.cause,
            cure="Mend or drop the row, and make the dataset again with `temper curate`.",
        ) from error


def runs(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return start and end of each stretch of True.

    >>> runs(np.array([False, True, True, False, True]))
    [(1, 3), (4, 5)]
    """
    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False])).astype(np.int8)))
    return [(int(start), int(end)) for start, end in edges.reshape(-1, 2)]


def _row_too_long(row: DataRow, tokens: int, max_length: int) -> LimitExceeded:
    return LimitExceeded(
        "a row is longer than max_length",
        where=f"{row.place} (id {row.row_id[:12]})",
        cause=f"It has {tokens:,} tokens; max_length is {max_length:,} and `too_long: stop`.",
        cure=f"Raise train.max_length to {tokens:,}, or set train.too_long to drop or cut.",
    )


__all__ = ["TokenRow", "Tokenised", "check_vocabulary", "runs", "tokenise"]
