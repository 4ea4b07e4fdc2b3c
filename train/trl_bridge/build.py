"""From a plan to the trainer of its method."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from transformers import PrinterCallback

from train.adapters import complete_output_wrapper, freeze, peft_config, prepare_adapter
from train.device_memory import is_out_of_memory, release
from train.stall import Watchdog
from train.trl_bridge.distill import PlannedDistill
from train.trl_bridge.dpo import PlannedDpo
from train.trl_bridge.kto import PlannedKto
from train.trl_bridge.planned import Given, Planned
from train.trl_bridge.ranks import AllocateRanks, has_ranks
from train.trl_bridge.reinforcement import PlannedGrpo, PlannedRloo
from train.trl_bridge.request import FitRequest
from train.trl_bridge.reward import PlannedReward
from train.trl_bridge.sft import PlannedSft
from workspace.errors import ModelError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_TRAINERS: dict[str, type[Planned]] = {
    "sft": PlannedSft,
    "distill": PlannedDistill,
    "dpo": PlannedDpo,
    "kto": PlannedKto,
    "reward": PlannedReward,
    "grpo": PlannedGrpo,
    "rloo": PlannedRloo,
}


class OutOfMemory(Exception):
    """A device had too little memory for a micro-batch; fewer rows at once may fit."""

    def __init__(self, step: int, *, is_saved: bool) -> None:
        super().__init__(f"out of memory in step {step + 1}")
        self.step = step
        """Whole steps done."""
        self.is_saved = is_saved
        """Whether a checkpoint was made of them just now."""


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
    kind = _trainer(plan.method["kind"])
    model.train()
    if plan.adapter["kind"] == "full":
        freeze(model, plan)
    watch = kind.watch(request)
    try:
        trainer = kind.build(Given(model, tokenizer, peft_config(model, plan), request, [watch]))
    except ValueError as error:
        if _NO_TARGET not in str(error) and plan.adapter["kind"] != "peft":
            raise
        raise ModelError(
            "this adapter does not fit the model",
            where="train.adapter",
            cause=str(error).split("\n")[0],
            cure="Change its options; as targets, `all-linear` fits every model.",
        ) from error
    prepare_adapter(trainer.model, plan, Path(plan.model_path))
    complete_output_wrapper(model)
    _reach_selective_checkpointing(trainer.model)
    trainer.remove_callback(PrinterCallback)
    watch.follow(trainer)
    if has_ranks(trainer.model):
        trainer.add_callback(AllocateRanks(trainer.model))
    return trainer


def _reach_selective_checkpointing(model: Any) -> None:
    """Let transformers find what trl wraps for selective checkpointing.

    trl wraps `gradient_checkpointing_enable` of the model with the adapter. Newer transformers ask
    for `activation_checkpointing_enable`, which peft hands on to the model inside, past the wrap.
    """
    wrapped = model.gradient_checkpointing_enable
    if not getattr(wrapped, "_is_sac_wrapped", False):
        return

    def enable(activation_checkpointing_kwargs: Any = None, **options: Any) -> Any:
        return wrapped(gradient_checkpointing_kwargs=activation_checkpointing_kwargs, **options)

    model.activation_checkpointing_enable = enable


def _trainer(method: str) -> type[Planned]:
    if method not in ("orpo", "simpo"):
        return _TRAINERS[method]
    # Experimental in trl, and gone from it one day: imported only for a run that needs them.
    from train.trl_bridge.reference_free import PlannedOrpo, PlannedSimpo

    return PlannedOrpo if method == "orpo" else PlannedSimpo


def put_back(trainer: Planned, checkpoint: Path) -> None:
    """Give the trainer's model the weights of a checkpoint of this run."""
    trainer._load_from_checkpoint(str(checkpoint))


def fit(trainer: Planned) -> int:
    """Train the trainer's model in place and return the steps done.

    Fewer steps than planned means that the probe's patience has ended, or that a signal asked the
    job to stop; then a checkpoint was saved.

    Raises:
        LimitExceeded: the loss is not finite, a batch is not what the plan says, or rows that
            share a sequence read each other.
        DiskFullError: a checkpoint could not be written.
        OutOfMemory: a micro-batch does not fit; the newest whole step is saved where it could be.
    """
    request = trainer.request
    resume = request.resume_from
    options: dict[str, Any] = {"resume_from_checkpoint": str(resume) if resume else None}
    failed = False
    with Watchdog(request.guard.stall_seconds, request.job.events, request.note) as watchdog:
        trainer.watchdog = watchdog
        try:
            trainer.prove_model()
            trainer.train(**options)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            failed = True
    step = int(trainer.state.global_step)
    if not failed:
        return step
    release()  # out of the `except` block: the error's frames held the micro-batch's tensors
    raise OutOfMemory(step, is_saved=trainer.save_last_good())
