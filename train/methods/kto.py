"""Kahneman-Tversky optimisation: answers marked good or bad, one at a time.

Ethayarajh et al. 2024, arXiv 2402.01306.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from train.data import DataRow, DataType, Message
from train.method_sections import KtoSection
from train.methods.answers import answered, assistant_turns
from train.methods.base import Method, Unusable
from train.rows import JoinedRows, TokenSequence
from workspace.errors import DataError, UsageError

if TYPE_CHECKING:
    from evalsuite.models.chat import ChatTokenizer
    from train.recipe import TrainSection

_BALANCE = (1.0, 4 / 3)
"""Good against bad, each by weight and number: equation 8 of the paper."""


class Kto(Method):
    """Raise the likelihood of good answers and lower that of bad ones, against the model's own
    drift on answers to other prompts.
    """

    name: ClassVar[str] = "kto"
    accepts: ClassVar[tuple[DataType, ...]] = ("unpaired_preference",)
    sequences: ClassVar[tuple[str, ...]] = ("",)
    least_at_once: ClassVar[int] = 2
    rates: ClassVar[dict[tuple[str, bool], tuple[float, str]]] = {
        ("lora", False): (5e-6, "LoRA: ten times the rate for all weights"),
        ("lora", True): (
            5e-4,
            "LoRA on a model below 20 M parameters: that of dpo",
        ),
        ("full", False): (5e-7, "all weights: the paper's rate (arXiv 2402.01306, section 4.1)"),
        ("full", True): (
            5e-5,
            "all weights of a model below 20 M parameters: a tenth of LoRA's",
        ),
    }

    def encode(
        self, row: DataRow, tokenizer: ChatTokenizer
    ) -> tuple[TokenSequence, ...] | Unusable:
        """Return the prompt with its answer, which carries loss on one stretch at its end."""
        found = answered(row, "completion", tokenizer)
        return found if isinstance(found, Unusable) else (found,)

    def answers(self, row: DataRow) -> tuple[Sequence[Message], ...]:
        """Return the assistant's messages of the answer."""
        return (assistant_turns(row, "completion"),)

    def target(self, row: DataRow, section: TrainSection) -> float:
        """Return 1 for a good answer and 0 for a bad one."""
        label = row.record["label"]
        if not isinstance(label, bool):
            raise DataError(
                "this row's label is neither true nor false",
                where=f"{row.place} (id {row.row_id[:12]}): label",
                cause=f"Found {label!r}.",
                cure="Make the dataset again with `temper curate`, which writes true for good "
                "answers and false for bad ones.",
            )
        return float(label)

    def demand(self, section: TrainSection) -> None:
        """Refuse single rows: an answer to another prompt is needed beside each."""
        size = section.micro_batch_size or section.batch_size
        if size < self.least_at_once:
            name = "micro_batch_size" if section.micro_batch_size else "batch_size"
            raise UsageError(
                "`method: kto` needs two rows at once",
                where=f"train.{name}",
                cause=f"Found {size}. Each prompt is also read with the answer to another one of "
                "its micro-batch, to see how far the model has drifted.",
                cure=f"Set train.{name} to 2 or more.",
            )

    def inspect(self, section: TrainSection, rows: JoinedRows) -> list[str]:
        """Refuse labels of one class; warn where the classes are out of balance."""
        assert isinstance(section.method, KtoSection)
        good = int(rows.targets.sum())
        bad = len(rows) - good
        if not good or not bad:
            raise DataError(
                f"all {len(rows):,} answers are {'good' if good else 'bad'}",
                where="label",
                cause=f"{good:,} are labelled true and {bad:,} false; `method: kto` learns from "
                "the difference.",
                cure="Add answers of the other label, or learn good ones with `method: sft`.",
            )
        weights = section.method
        ratio = weights.desirable_weight * good / (weights.undesirable_weight * bad)
        low, high = _BALANCE
        if low - 0.01 <= ratio <= high + 0.01:
            return []
        scale = weights.undesirable_weight * bad / good
        return [
            f"{good:,} good and {bad:,} bad answers weigh {ratio:.2f} to 1; the KTO paper advises "
            f"1 to 1.33: set train.method.desirable_weight to {low * scale:.2f} … "
            f"{high * scale:.2f}, or undesirable_weight to "
            f"{weights.desirable_weight * good / bad / high:.2f} … "
            f"{weights.desirable_weight * good / bad / low:.2f}"
        ]
