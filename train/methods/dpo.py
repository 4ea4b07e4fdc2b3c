"""Direct preference optimisation: prefer the chosen answer to the rejected one.

Rafailov et al. 2023, arXiv 2305.18290. The losses are trl's; their papers are named in
`train.recipe`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from train.data import DataRow, DataType, Message
from train.methods.base import Unusable, left_out, sequence
from train.rows import TokenSequence

if TYPE_CHECKING:
    from evalsuite.models.chat import ChatTokenizer


class Dpo:
    """Raise the likelihood of what was chosen over that of what was rejected."""

    name: ClassVar[str] = "dpo"
    accepts: ClassVar[tuple[DataType, ...]] = ("preference",)
    sequences: ClassVar[tuple[str, ...]] = ("chosen", "rejected")
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
        """Return the prompt with either answer; both carry loss on one stretch at their end.

        The prompt has the same tokens in both, as generation will see them.
        """
        from evalsuite.models.rows import tokenise_row

        chats = [tokenise_row(tokenizer, _completed(row, name)) for name in self.sequences]
        pair = tuple(_to_its_end(sequence(chat)) for chat in chats)
        tokens = sum(one.tokens for one in pair)
        for chat in chats:
            if why := left_out(chat):
                return replace(why, tokens=tokens)
        if any(not one.trained for one in pair):
            return Unusable("no_trainable_tokens", tokens)
        starts = [int(np.flatnonzero(one.loss_mask)[0]) for one in pair]
        if any(not one.loss_mask[start:].all() for one, start in zip(pair, starts, strict=True)):
            return Unusable("answer_in_several_turns", tokens)
        chosen, rejected = (one.input_ids[:start] for one, start in zip(pair, starts, strict=True))
        if not np.array_equal(chosen, rejected):
            return Unusable("prompts_differ", tokens)
        if np.array_equal(pair[0].input_ids, pair[1].input_ids):
            return Unusable("chosen_equals_rejected", tokens)
        return pair

    def answers(self, row: DataRow) -> tuple[Sequence[Message], ...]:
        """Return the assistant's messages of either answer."""
        return tuple(
            [message for message in row.turns(name) if message["role"] == "assistant"]
            for name in self.sequences
        )


def _completed(row: DataRow, name: str) -> dict[str, Any]:
    record = {"id": row.row_id, "prompt": row.record["prompt"], "completion": row.record[name]}
    return {**record, "tools": row.record["tools"]} if "tools" in row.record else record


def _to_its_end(one: TokenSequence) -> TokenSequence:
    """Leave out what the template writes after the answer's end token, which nobody says."""
    trained = np.flatnonzero(one.loss_mask)
    if not trained.size:
        return one
    end = int(trained[-1]) + 1
    return replace(one, input_ids=one.input_ids[:end], loss_mask=one.loss_mask[:end])
