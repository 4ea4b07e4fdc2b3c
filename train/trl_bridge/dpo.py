"""trl's DPOTrainer on the plan's rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pyarrow as pa
from trl import DPOConfig, DPOTrainer
from trl.trainer.dpo_trainer import DataCollatorForPreference

from train.trl_bridge.arguments import shared_arguments
from train.trl_bridge.planned import Given, Planned, Seen, dataset_of, token_spans
from train.trl_bridge.request import FitRequest
from train.trl_bridge.vision import pixels_of, with_pixels

if TYPE_CHECKING:
    from train.rows import TokenRows


class PlannedDpo(Planned, DPOTrainer):
    """Chosen over rejected, near what the model was.

    With an adapter, what the model was is the base without it. Where all weights are trained, or
    switching the adapter off would not give the base back, its likelihoods are computed before the
    first step, so that no second model is held.
    """

    @classmethod
    def build(cls, given: Given) -> Self:
        """Return the trainer."""
        request = given.request
        method = request.prepared.plan.method
        loss = method["loss"]
        pixels = pixels_of(given)
        arguments = DPOConfig(
            **shared_arguments(request),
            beta=method["beta"],
            loss_type=[loss] if isinstance(loss, str) else list(loss),
            loss_weights=method["loss_weights"] and list(method["loss_weights"]),
            label_smoothing=method["label_smoothing"],
            ld_alpha=method["length_weight"],
            f_divergence_type=method["divergence"],
            use_weighting=method["weighting"],
            disable_dropout=True,
            precompute_ref_log_probs=_is_computed_before(request),
            remove_unused_columns=pixels is None,
        )
        rows = dataset_of(request.prepared, _columns)
        collator = DataCollatorForPreference(pad_token_id=request.pad_id, max_length=None)
        trainer = cls._made(given, arguments, rows, data_collator=with_pixels(collator, pixels))
        trainer.pixels = pixels
        return trainer

    def compute_ref_log_probs(self, model: Any, inputs: Any) -> Any:
        """Return the likelihoods under what the model was.

        Adapters that change the base add up to it before the first step, when this is asked.
        """
        parent: Any = super()
        if not self.request.prepared.plan.adapter_section.changes_base:
            return parent.compute_ref_log_probs(model, inputs)
        self.ref_model = model  # trl would switch the adapter off
        try:
            return parent.compute_ref_log_probs(model, inputs)
        finally:
            self.ref_model = None

    def _prepare_dataset(self, dataset: Any, *rest: Any, **options: Any) -> Any:
        """Leave the rows as planned: they are tokenised."""
        return dataset

    def seen(self, inputs: Any) -> list[Seen]:
        """Return what a collated batch trains on: all chosen answers, then all rejected ones."""
        masks = inputs["completion_mask"].cpu().numpy()
        ids, attention = inputs["input_ids"].cpu().numpy(), inputs["attention_mask"].cpu().numpy()
        return [
            Seen(one, mask.astype(bool), int(read.sum()))
            for one, mask, read in zip(ids, masks, attention, strict=True)
        ]


def _is_computed_before(request: FitRequest) -> bool:
    section = request.prepared.plan.adapter_section
    return section.kind == "full" or section.changes_base


def _columns(part: TokenRows) -> dict[str, pa.LargeListArray]:
    """Return the prompt and the answers: what carries no loss, and the rest of either sequence."""
    starts = part.offsets[:-1].reshape(-1, 2)
    ends = part.offsets[1:].reshape(-1, 2)
    trained = np.concatenate(([0], np.cumsum(part.mask, dtype=np.int64)))
    answers = ends - (trained[ends] - trained[starts])  # where each answer begins: it is a suffix
    return {
        "prompt_ids": token_spans(part, starts[:, 0], answers[:, 0]),
        "chosen_ids": token_spans(part, answers[:, 0], ends[:, 0]),
        "rejected_ids": token_spans(part, answers[:, 1], ends[:, 1]),
    }
