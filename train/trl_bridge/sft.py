"""trl's SFTTrainer on the plan's rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pyarrow as pa
from trl import SFTConfig, SFTTrainer

from train.trl_bridge.arguments import shared_arguments
from train.trl_bridge.distance import Base, Distance, base_before, distance_from
from train.trl_bridge.packed import PackedRows, collator_of, is_joined, is_planned, prove_apart
from train.trl_bridge.planned import IGNORED, Given, Planned, Seen, dataset_of, token_lists
from train.trl_bridge.request import FitRequest, arithmetic_of
from train.trl_bridge.vision import pixels_of, with_pixels

if TYPE_CHECKING:
    from torch import Tensor

    from train.rows import TokenRows


class PlannedSft(Planned, SFTTrainer):
    """Cross-entropy on the tokens that the mask leaves, and the distance from the base if asked."""

    distance: Distance | None = None

    @classmethod
    def build(cls, given: Given) -> Self:
        """Return the trainer."""
        request = given.request
        joined = is_joined(request.prepared)
        pixels = pixels_of(given)
        arguments = SFTConfig(
            **shared_arguments(request),
            dataset_kwargs={"skip_prepare_dataset": True},
            packing=False,  # by the plan: trl would pack across steps
            remove_unused_columns=not joined and pixels is None,
            shuffle_dataset=False,
            loss_type="nll",
        )
        with arithmetic_of(request):
            base = base_before(given.model, request)
        rows = PackedRows(request.prepared) if joined else dataset_of(request.prepared, _columns)
        collator = with_pixels(collator_of(request), pixels)
        trainer = cls._made(given, arguments, rows, data_collator=collator)
        trainer.pixels = pixels
        with arithmetic_of(request):
            trainer.distance = cls.distance_of(trainer.model, base, request)
        return trainer

    @classmethod
    def distance_of(
        cls, model: Any, base: Base | Tensor | None, request: FitRequest
    ) -> Distance | None:
        """Return the distance that is a part of the loss, if one is."""
        return distance_from(model, base, request)

    def compute_loss(
        self,
        model: Any,
        inputs: Any,
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        """Return trl's loss, plus the weighted distance from the base.

        Both are means over the tokens of the whole step, however it is split.
        """
        parent: Any = super()
        if self.distance is None or return_outputs:  # outputs are asked for in evaluation only
            return parent.compute_loss(model, inputs, return_outputs, num_items_in_batch)
        with self.distance.watching():
            loss = parent.compute_loss(model, inputs, False, num_items_in_batch)
        with arithmetic_of(self.request):
            mean = self.distance.of(inputs, *self._micro_batch)
        if num_items_in_batch is None:  # then transformers divides by the micro-batches
            mean = mean * self.current_gradient_accumulation_steps
        return self._joined(loss, mean)

    def _joined(self, entropy: Any, mean: Any) -> Any:
        """Return the loss of a micro-batch from its parts of the two means of the step."""
        assert self.distance is not None
        return entropy + self.distance.term.weight * mean

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Log the distance and the cross-entropy beside their sum."""
        if self.distance is not None and "loss" in logs:
            logs.update(self._parts(logs["loss"]))
        super().log(logs, start_time)

    def _parts(self, loss: float) -> dict[str, float]:
        """Return what the loss of a step consists of."""
        assert self.distance is not None
        value = self.distance.value
        return {"kl": value, "cross_entropy": loss - self.distance.term.weight * value}

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
