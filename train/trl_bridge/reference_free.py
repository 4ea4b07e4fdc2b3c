"""trl's experimental ORPO and CPO trainers (the latter for SimPO) on the plan's rows.

Import it only where `train.methods` has found them in the installed trl.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pyarrow as pa
from datasets import Dataset
from trl.experimental.cpo import CPOConfig, CPOTrainer
from trl.experimental.orpo import ORPOConfig, ORPOTrainer
from trl.experimental.utils import DPODataCollatorWithPadding

from train.plan import Prepared
from train.trl_bridge.arguments import shared_arguments
from train.trl_bridge.planned import IGNORED, Given, Planned, Seen, token_spans
from train.trl_bridge.request import FitRequest

if TYPE_CHECKING:
    from train.rows import TokenRows

_SIDES = ("chosen", "rejected")
_NLL = 4
"""Place of the chosen answers' cross-entropy among what a forward pass returns."""


class _Pairs(Planned):
    """What the two have in common."""

    @classmethod
    def build(cls, given: Given) -> Self:
        """Return the trainer."""
        request = given.request
        plan = request.prepared.plan
        options = {
            **shared_arguments(request),
            "max_length": plan["max_length"],
            "remove_unused_columns": False,
            "disable_dropout": not plan.adapter.get("dropout"),
        }
        rows = _TokenisedPairs.of(request.prepared)
        collator = DPODataCollatorWithPadding(pad_token_id=request.pad_id)
        arguments = cls._arguments(options, request)
        return cls._made(given, arguments, rows, data_collator=collator)

    @classmethod
    def _arguments(cls, options: dict[str, Any], request: FitRequest) -> Any:
        raise NotImplementedError

    def seen(self, inputs: Any) -> list[Seen]:
        """Return what a collated batch trains on: all chosen answers, then all rejected ones."""
        return [
            Seen(one, label != IGNORED, int(mask.sum()))
            for side in _SIDES
            for one, label, mask in zip(
                inputs[f"{side}_input_ids"].cpu().numpy(),
                inputs[f"{side}_labels"].cpu().numpy(),
                inputs[f"{side}_attention_mask"].cpu().numpy(),
                strict=True,
            )
        ]


class PlannedOrpo(_Pairs, ORPOTrainer):
    """The chosen answer's cross-entropy and its odds over the rejected one's."""

    @classmethod
    def _arguments(cls, options: dict[str, Any], request: FitRequest) -> ORPOConfig:
        beta = request.prepared.plan.method["beta"]
        return ORPOConfig(**options, beta=beta, padding_value=request.pad_id)

    def concatenated_forward(self, model: Any, batch: Any) -> Any:
        """Take the cross-entropy over the chosen answers' tokens.

        trl 1.16 takes it over their prompts too, which the mask leaves out and the proof would
        then deny. It follows from the answers' mean log-probabilities, which are there already.
        """
        found = list(super().concatenated_forward(model, batch))
        counts = (batch["chosen_labels"][:, 1:] != IGNORED).sum(-1)
        found[_NLL] = -(found[0] * counts).sum() / counts.sum()
        return tuple(found)


class PlannedSimpo(_Pairs, CPOTrainer):
    """The chosen answer's likelihood per token over the rejected one's, by a margin."""

    @classmethod
    def _arguments(cls, options: dict[str, Any], request: FitRequest) -> CPOConfig:
        method = request.prepared.plan.method
        return CPOConfig(
            **options,
            loss_type="simpo",
            beta=method["beta"],
            simpo_gamma=method["gamma"],
            cpo_alpha=method["sft_weight"],
            label_smoothing=method["label_smoothing"],
        )


class _TokenisedPairs(Dataset):  # type: ignore[misc]  # datasets is untyped
    """Rows that are tokenised as planned, and stay so."""

    @classmethod
    def of(cls, prepared: Prepared) -> _TokenisedPairs:
        """Return the plan's rows in the order of its steps."""
        table = pa.concat_tables([pa.table(_columns(part)) for part in prepared.rows.parts])
        return cls(table.take(pa.array(prepared.schedule.order)))

    def map(self, *rest: Any, **options: Any) -> _TokenisedPairs:
        """Change nothing: the trainers would tokenise texts here, by rules of their own."""
        return self


def _columns(part: TokenRows) -> dict[str, pa.Array]:
    ids, labels = part.ids, np.where(part.mask, part.ids, IGNORED)
    ones = np.ones(len(ids), dtype=np.int8)
    out: dict[str, pa.Array] = {}
    for place, side in enumerate(_SIDES):
        starts = part.offsets[:-1].reshape(-1, 2)[:, place]
        ends = part.offsets[1:].reshape(-1, 2)[:, place]
        for name, values in (("input_ids", ids), ("labels", labels), ("attention_mask", ones)):
            out[f"{side}_{name}"] = token_spans(part, starts, ends, values)
    return out
