"""What all trainers are told alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from train.plan.settings import Decided
from train.trl_bridge.request import FitRequest

_SCHEDULERS = {"cosine": "cosine", "linear": "linear", "constant": "constant_with_warmup"}
_OPTIMIZERS = {
    "adamw": "adamw_torch_fused",
    "adamw_8bit": "adamw_8bit",
    "paged_adamw_8bit": "paged_adamw_8bit",
    "lion": "lion_32bit",
    "lion_8bit": "lion_8bit",
    "paged_lion_8bit": "paged_lion_8bit",
    "adafactor": "adafactor",
    "sgd": "sgd",
}


def _memory(levers: Mapping[str, Decided]) -> dict[str, Any]:
    """Return what decides which activations are kept, and where."""
    kept = levers["checkpointing"].value
    out: dict[str, Any] = {"gradient_checkpointing": kept != "off"}
    if kept == "selective":
        out["gradient_checkpointing_kwargs"] = {"selective": True}
    if levers["offload"].value == "on":  # not an argument of every trainer
        out["activation_offloading"] = True
    return out


def shared_arguments(request: FitRequest) -> dict[str, Any]:
    """Return transformers' arguments; none that decides what is computed is left to a default."""
    plan, schedule = request.prepared.plan, request.prepared.schedule
    on_gpu = request.device != "cpu"
    accumulation = plan.batch_size // plan["micro_batch_size"]
    optimizer = _OPTIMIZERS[plan.optimizer]
    if plan.optimizer == "adamw" and plan.levers["fused"].value == "off":
        optimizer = "adamw_torch"
    return {
        "output_dir": str(request.store.directory),
        # data: as planned, untouched
        "max_length": None,
        "train_sampling_strategy": "sequential",
        "dataloader_num_workers": 0,
        "dataloader_pin_memory": on_gpu,
        "per_device_train_batch_size": plan["micro_batch_size"],
        "gradient_accumulation_steps": accumulation
        if schedule.packs is None
        else schedule.accumulation,
        "max_steps": plan.steps,
        # optimiser
        "learning_rate": plan["learning_rate"],
        "lr_scheduler_type": _SCHEDULERS[plan.schedule],
        "warmup_steps": plan["warmup_steps"],
        "weight_decay": plan.weight_decay,
        "max_grad_norm": plan.max_grad_norm,
        "optim": optimizer,
        "neftune_noise_alpha": plan.neftune,
        "seed": plan.seed,
        "data_seed": plan.seed,
        # machine
        "use_cpu": not on_gpu,
        "bf16": request.precision == "bfloat16",
        "fp16": False,
        **_memory(plan.levers),
        "torch_compile": plan.levers["compile"].value == "on",
        # what we do ourselves: records, checkpoints, alarms
        "logging_strategy": "steps",
        "logging_steps": 1,
        "logging_nan_inf_filter": False,
        "save_strategy": "no",
        "eval_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
    }
