"""trl's SFTTrainer on the plan's rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pyarrow as pa
from trl import SFTConfig, SFTTrainer

from train.trl_bridge.arguments import shared_arguments
from train.trl_bridge.packed import PackedRows, collator_of, is_joined, is_planned, prove_apart
from train.trl_bridge.planned import IGNORED, Planned, Seen, dataset_of, token_lists
from train.trl_bridge.request import FitRequest

if TYPE_CHECKING:
    from peft import PeftConfig
    from transformers import PreTrainedModel, PreTrainedTokenizerBase, TrainerCallback

    from train.rows import TokenRows


class PlannedSft(Planned, SFTTrainer):
    """Cross-entropy on the tokens that the mask leaves."""

    @classmethod
    def build(
        cls,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        adapter: PeftConfig | None,
        request: FitRequest,
        callbacks: Sequence[TrainerCallback],
    ) -> Self:
        """Return the trainer."""
        joined = is_joined(request.prepared)
        arguments = SFTConfig(
            **shared_arguments(request),
            dataset_kwargs={"skip_prepare_dataset": True},
            packing=False,  # by the plan: trl would pack across steps
            remove_unused_columns=not joined,
            shuffle_dataset=False,
            loss_type="nll",
        )
        return cls(
            request=request,
            model=model,
            args=arguments,
            train_dataset=PackedRows(request.prepared)
            if joined
            else dataset_of(request.prepared, _columns),
            processing_class=tokenizer,
            data_collator=collator_of(request),
            peft_config=adapter,
            callbacks=list(callbacks),
        )

    def prove_model(self) -> None:
        """Prove, before the first step, that rows in one sequence do not read each other."""
        if is_joined(self.request.prepared):
            prove_apart(self, self.request)

    def _prove_batch(self, inputs: Any, step: int, number: int) -> None:
        prepared = self.request.prepared
        if not is_joined(prepared):
            super()._prove_batch(inputs, step, number)
            return
        self._demand_planned(is_planned(inputs, prepared, step, number), step, number)

    def seen(self, inputs: Any) -> list[Seen]:
        """Return what a collated batch trains on."""
        labels = inputs["labels"].cpu().numpy()
        ids, attention = inputs["input_ids"].cpu().numpy(), inputs["attention_mask"].cpu().numpy()
        return [
            Seen(one, label != IGNORED, int(mask.sum()))
            for one, label, mask in zip(ids, labels, attention, strict=True)
        ]


def _columns(part: TokenRows) -> dict[str, pa.LargeListArray]:
    labels = np.where(part.mask, part.ids, IGNORED)
    return {
        "input_ids": token_lists(part.ids, part.offsets),
        "labels": token_lists(labels, part.offsets),
    }
