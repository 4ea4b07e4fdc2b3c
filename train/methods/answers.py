"""Prompts with answers, and pairs of them, as token sequences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from train.data import DataRow, Message
from train.methods.base import Unusable, left_out, sequence
from train.rows import TokenSequence

if TYPE_CHECKING:
    from evalsuite.models.chat import ChatTokenizer

PAIR = ("chosen", "rejected")
"""Names of the sequences of a preference."""


def answered(row: DataRow, column: str, tokenizer: ChatTokenizer) -> TokenSequence | Unusable:
    """Return the prompt with one of its answers, which carries loss on one stretch at the end."""
    from evalsuite.models.rows import tokenise_row

    chat = tokenise_row(tokenizer, completed(row, column))
    if why := left_out(chat):
        return why
    one = _to_its_end(sequence(chat))
    if not one.trained:
        return Unusable("no_trainable_tokens", one.tokens)
    if not one.loss_mask[_start(one) :].all():
        return Unusable("answer_in_several_turns", one.tokens)
    return one


def answered_pair(
    row: DataRow, tokenizer: ChatTokenizer
) -> tuple[TokenSequence, TokenSequence] | Unusable:
    """Return the prompt with either answer.

    The prompt has the same tokens in both, as generation will see them.
    """
    chosen, rejected = (answered(row, name, tokenizer) for name in PAIR)
    tokens = chosen.tokens + rejected.tokens
    for one in (chosen, rejected):
        if isinstance(one, Unusable):
            return replace(one, tokens=tokens)
    assert isinstance(chosen, TokenSequence) and isinstance(rejected, TokenSequence)
    prompt, other = (one.input_ids[: _start(one)] for one in (chosen, rejected))
    if not np.array_equal(prompt, other):
        return Unusable("prompts_differ", tokens)
    if np.array_equal(chosen.input_ids, rejected.input_ids):
        return Unusable("chosen_equals_rejected", tokens)
    return chosen, rejected


def assistant_turns(row: DataRow, column: str) -> Sequence[Message]:
    """Return what the assistant says in an answer."""
    return [message for message in row.turns(column) if message["role"] == "assistant"]


def completed(row: DataRow, column: str) -> dict[str, Any]:
    """Return a row with one of its answers as prompt and completion."""
    record = {"id": row.row_id, "prompt": row.record["prompt"], "completion": row.record[column]}
    return {**record, "tools": row.record["tools"]} if "tools" in row.record else record


def _start(one: TokenSequence) -> int:
    return int(np.flatnonzero(one.loss_mask)[0])


def _to_its_end(one: TokenSequence) -> TokenSequence:
    """Leave out what the template writes after the answer's end token, which nobody says."""
    trained = np.flatnonzero(one.loss_mask)
    if not trained.size:
        return one
    end = int(trained[-1]) + 1
    return replace(one, input_ids=one.input_ids[:end], loss_mask=one.loss_mask[:end])
