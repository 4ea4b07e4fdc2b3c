"""trl's SFTTrainer with a teacher beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from evalsuite.models.head import Head, head_of, inner_of
from train.adapters import complete_output_wrapper
from train.randomness import Randomness
from train.teacher import Teacher
from train.trl_bridge.distance import Distance, Frozen, Term
from train.trl_bridge.distributions import Divergence
from train.trl_bridge.sft import PlannedSft
from workspace.errors import ModelError

if TYPE_CHECKING:
    from train.trl_bridge.request import FitRequest

_TOLERANCE = {"float32": 1e-3, "bfloat16": 0.2}
"""By how much the teacher's own log-probabilities may differ from ours, in nats."""
_PROVED = 16
"""Token ids that are read for the comparison."""


class PlannedDistill(PlannedSft):
    """Cross-entropy on the tokens that the mask leaves, and the divergence from a teacher."""

    @classmethod
    def distance_of(cls, model: Any, base: Any, request: FitRequest) -> Distance | None:
        """Load the teacher; return the divergence from it on all rows."""
        method, prepared = request.prepared.plan.method, request.prepared
        assert request.teacher is not None
        teacher = Frozen(load_teacher(request.teacher, request))
        demand_known_head(teacher, request.precision)
        head = head_of(model, tuned=True)
        measure = Divergence(
            method["direction"],
            float(method["temperature"]),
            min(len(teacher.head.weight), len(head.weight)),
        )
        term = Term(
            weight=float(method["weight"]) * float(method["temperature"]) ** 2,
            chunk=int(method["chunk"]),
            is_on=np.ones(len(prepared.rows), np.bool_),
            where="train.method",
            measure=measure,
        )
        return Distance(model, teacher, prepared, term)

    @property
    def _of_rows(self) -> float:
        """Weight of the cross-entropy."""
        return 1.0 - float(self.request.prepared.plan.method["weight"])

    def _joined(self, entropy: Any, mean: Any) -> Any:
        return super()._joined(self._of_rows * entropy, mean)

    def _parts(self, loss: float) -> dict[str, float]:
        assert self.distance is not None
        value = self.distance.value
        parts = {"teacher_distance": value}
        if self._of_rows:
            parts["cross_entropy"] = (loss - self.distance.term.weight * value) / self._of_rows
        return parts


def load_teacher(teacher: Teacher, request: FitRequest) -> Any:
    """Return the teacher in evaluation mode, in the precision of the arithmetic.

    Draws nothing from the random numbers of the run. An adapter is merged, unless its base is
    held in few bits, where that would change what it was trained on.
    """
    from evalsuite.models.load import load_adapter, load_model

    before = Randomness()
    path = teacher.source.path
    model: Any = load_model(
        path,
        dtype=request.precision,
        device=request.device,
        quantization=teacher.quantization,
    )
    if teacher.adapter is not None:
        tuned: Any = load_adapter(model, teacher.adapter)
        if teacher.quantization is None:
            model = tuned.merge_and_unload()
        else:
            complete_output_wrapper(model)
            model = tuned
    before.put_back()
    request.note(
        f"teacher: {teacher.source.name}, {teacher.facts.parameters:,} weights in "
        f"{teacher.quantization or request.precision}"
    )
    return model


@torch.no_grad()
def demand_known_head(teacher: Frozen, precision: str) -> None:
    """Compare log-probabilities of hidden states with the teacher's own.

    Raises:
        ModelError: it does something to its logits that is not known here.
    """
    head: Head = teacher.head
    ids = torch.arange(min(_PROVED, len(head.weight)), device=head.weight.device)[None]
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    mask = torch.ones_like(ids[:, 1:]).bool()
    ours = head.log_probs(teacher.hidden(inputs, (0,), mask))
    own = inner_of(teacher.model)(**inputs, use_cache=False).logits[0, :-1].float().log_softmax(-1)
    far = float((ours - own).abs().max())
    if not far <= _TOLERANCE[precision]:
        raise ModelError(
            "this teacher's distributions cannot be computed",
            where="train.method.teacher",
            cause=f"Log-probabilities from its hidden states differ by {far:.3g} from its own: it "
            "does something to its logits that is not known here.",
            cure="Use another teacher, or let it answer the prompts and learn them with `sft`.",
        )
