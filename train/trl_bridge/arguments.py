"""What all trainers are told alike."""

from __future__ import annotations

from typing import Any

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


def shared_arguments(request: FitRequest) -> dict[str, Any]:
    """Return transformers' arguments; none that decides what is computed is left to a default."""
    plan = request.prepared.plan
    on_gpu = request.device != "cpu"
    return {
        "output_dir": str(request.store.directory),
        # data: as planned, untouched
        "max_length": None,
        "train_sampling_strategy": "sequential",
        "dataloader_num_workers": 0,
        "dataloader_pin_memory": on_gpu,
        "per_device_train_batch_size": plan["micro_batch_size"],
        "gradient_accumulation_steps": plan.batch_size // plan["micro_batch_size"],
        "max_steps": plan.steps,
        # optimiser
        "learning_rate": plan["learning_rate"],
        "lr_scheduler_type": _SCHEDULERS[plan.schedule],
        "warmup_steps": plan["warmup_steps"],
        "weight_decay": plan.weight_decay,
        "max_grad_norm": plan.max_grad_norm,
        "optim": _OPTIMIZERS[plan.optimizer],
        "neftune_noise_alpha": plan.neftune,
        "seed": plan.seed,
        "data_seed": plan.seed,
        # machine
        "use_cpu": not on_gpu,
        "bf16": request.precision == "bfloat16",
        "fp16": False,
        "gradient_checkpointing": on_gpu and plan.model_parameters > 100_000_000,
        # what we do ourselves: records, checkpoints, alarms
        "logging_strategy": "steps",
        "logging_steps": 1,
        "logging_nan_inf_filter": False,
        "save_strategy": "no",
        "eval_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
    }
