"""A reward model: one number for a whole chat, higher for what people prefer.

The loss is that of Bradley and Terry's model of preferences, -log sigmoid(r(chosen) -
r(rejected) - margin): Ouyang et al. 2022, arXiv 2203.02155, equation 1; the margin is of Llama 2,
arXiv 2307.09288, equation 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite, nan
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from train.data import MARGIN, DataRow, DataType, Message
from train.method_sections import RewardSection
from train.methods.answers import PAIR, assistant_turns, completed
from train.methods.base import Method, Unusable
from train.rows import JoinedRows, TokenSequence
from workspace.errors import DataError, UsageError

if TYPE_CHECKING:
    from evalsuite.models.chat import ChatTokenizer
    from train.recipe import TrainSection


class Reward(Method):
    """Read either chat to its last token; give the chosen one the higher number there."""

    name: ClassVar[str] = "reward"
    accepts: ClassVar[tuple[DataType, ...]] = ("preference",)
    sequences: ClassVar[tuple[str, ...]] = PAIR
    makes: ClassVar[Literal["language", "reward"]] = "reward"
    rates: ClassVar[dict[tuple[str, bool], tuple[float, str]]] = {
        ("lora", False): (1e-4, "LoRA: trl's rate for reward models"),
        ("lora", True): (
            1e-3,
            "LoRA on a model below 20 M parameters: measured on the built-in one",
        ),
        ("full", False): (1e-5, "all weights: a tenth of what adapters take"),
        ("full", True): (
            3e-4,
            "all weights of a model below 20 M parameters: measured on the built-in one",
        ),
    }

    def encode(
        self, row: DataRow, tokenizer: ChatTokenizer
    ) -> tuple[TokenSequence, ...] | Unusable:
        """Return either chat whole; the loss is on what is read at its last token."""
        from evalsuite.models.rows import whole_row

        pair = [whole_row(tokenizer, completed(row, name)) for name in PAIR]
        if pair[0] == pair[1]:
            return Unusable("chosen_equals_rejected", sum(map(len, pair)))
        return tuple(_read_at_its_end(ids) for ids in pair)

    def answers(self, row: DataRow) -> tuple[Sequence[Message], ...]:
        """Return the assistant's messages of either answer, which must have been read."""
        return tuple(assistant_turns(row, name) for name in PAIR)

    def target(self, row: DataRow, section: TrainSection) -> float:
        """Return by how much chosen should be ahead, where the dataset says it."""
        assert isinstance(section.method, RewardSection)
        if MARGIN not in row.record or not section.method.margins:
            return nan
        value = row.record[MARGIN]
        if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
            raise DataError(
                "this row's margin is not a number",
                where=f"{row.place} (id {row.row_id[:12]}): {MARGIN}",
                cause=f"Found {_shown(value)}; by how much chosen is better, in logits, is wanted.",
                cure="Give every row one, leave the column out, or set train.method.margins: "
                "false.",
            )
        return float(value)

    def demand(self, section: TrainSection) -> None:
        """Refuse to cut rows: their end is what is read; and adapters that cannot be merged."""
        if section.adapter.kind not in ("lora", "full"):
            raise UsageError(
                f"a reward model cannot be trained with `kind: {section.adapter.kind}`",
                where="train.adapter",
                cause="It is written as a whole model, with the adapter merged into its weights.",
                cure="Use `kind: lora`, or `kind: full`.",
            )
        if section.too_long == "cut":
            raise UsageError(
                "a reward model's rows cannot be cut",
                where="train.too_long",
                cause="The reward is read at the last token, and a chat that is cut has lost it.",
                cure="Set train.too_long to drop or stop, or raise train.max_length.",
            )

    def inspect(self, section: TrainSection, rows: JoinedRows) -> list[str]:
        """Say whether margins count; all rows of a run have one, or none has.

        Raises:
            DataError: the dataset and the replayed one differ in it.
        """
        has = ~np.isnan(rows.targets)
        if not has.any():
            return []
        if not has.all():
            raise DataError(
                f"{int(has.sum()):,} of {len(has):,} rows have a margin, the others none",
                where=f"{MARGIN} of the dataset and the replayed one",
                cure="Give both datasets the column, or neither, or set train.method.margins: "
                "false.",
            )
        low, high = rows.targets.min(), rows.targets.max()
        return [f"the loss asks for the margins of the column `{MARGIN}`: {low:g} to {high:g}"]


def _read_at_its_end(ids: Sequence[int]) -> TokenSequence:
    mask = np.zeros(len(ids), dtype=np.bool_)
    mask[-1:] = True
    return TokenSequence(np.array(ids, dtype=np.int32), mask)


def _shown(value: Any) -> str:
    return "null" if value is None else repr(value)[:40]
