"""From a plan to the trainer of its method."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transformers import PrinterCallback

from train.adapters import complete_output_wrapper, peft_config
from train.trl_bridge.dpo import PlannedDpo
from train.trl_bridge.planned import Planned
from train.trl_bridge.reinforcement import PlannedGrpo, PlannedRloo
from train.trl_bridge.request import FitRequest
from train.trl_bridge.sft import PlannedSft
from workspace.errors import ModelError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_TRAINERS: dict[str, type[Planned]] = {
    "sft": PlannedSft,
    "dpo": PlannedDpo,
    "grpo": PlannedGrpo,
    "rloo": PlannedRloo,
}
_NO_TARGET = "Target modules"
"""How peft begins to say that the model has none of the modules to adapt."""


def build_trainer(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, request: FitRequest
) -> Planned:
    """Return trl's trainer set up for the plan, with the adapter that it names.

    Raises:
        ModelError: a target of the adapter that the model does not have.
    """
    plan = request.prepared.plan
    kind = _TRAINERS[plan.method["kind"]]
    model.train()
    if plan.adapter["kind"] == "full":
        model.requires_grad_(True)
    try:
        trainer = kind.build(
            model, tokenizer, peft_config(model, plan), request, [kind.watch(request)]
        )
    except ValueError as error:
        if _NO_TARGET not in str(error):
            raise
        raise ModelError(
            "this adapter does not fit the model",
            where="train.adapter.targets",
            cause=str(error).split("\n")[0],
            cure="`all-linear` fits every model.",
        ) from error
    complete_output_wrapper(model)
    trainer.remove_callback(PrinterCallback)
    return trainer


def fit(trainer: Planned) -> int:
    """Train the trainer's model in place and return the steps done.

    Fewer steps than planned means that a signal asked the job to stop; a checkpoint was saved.

    Raises:
        LimitExceeded: the loss is not finite, or a batch is not what the plan says.
        DiskFullError: a checkpoint could not be written.
    """
    resume = trainer.request.resume_from
    options: dict[str, Any] = {"resume_from_checkpoint": str(resume) if resume else None}
    trainer.train(**options)
    return int(trainer.state.global_step)
