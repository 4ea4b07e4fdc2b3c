"""trl's SFTTrainer on the plan's rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pyarrow as pa
from trl import SFTConfig, SFTTrainer
from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

from train.trl_bridge.arguments import shared_arguments
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
        arguments = SFTConfig(
            **shared_arguments(request),
            dataset_kwargs={"skip_prepare_dataset": True},
            packing=False,
            shuffle_dataset=False,
            loss_type="nll",
        )
        return cls(
            request=request,
            model=model,
            args=arguments,
            train_dataset=dataset_of(request.prepared, _columns),
            processing_class=tokenizer,
            data_collator=DataCollatorForLanguageModeling(pad_token_id=request.pad_id),
            peft_config=adapter,
            callbacks=list(callbacks),
        )

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
