"""Rehearsals that need not be repeated: the same model, adapter, batch and machine."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from train.environment import Device, versions
from train.rehearsal.batch import Batch
from train.rehearsal.record import Rehearsal, read_rehearsal
from workspace import machine
from workspace.errors import TemperError
from workspace.files import write_json


def key_of(batch: Batch, device: Device) -> str:
    """Return a digest of all that decides what a rehearsal finds."""
    plan = batch.prepared.plan
    known = {
        "model": plan.model_digest,
        "method": dict(plan.method),
        "teacher": [plan[name] for name in ("teacher",) if name in plan.settings],
        "adapter": dict(plan.adapter),
        "optimizer": plan.optimizer,
        "trained": list(plan.trainable_token_ids),
        "neftune": plan.neftune,
        "kl": [plan.tempering["kl"], str(plan.settings.get("kl_base"))],
        "steps": [plan.batch_size, batch.longest_step_tokens, batch.mean_step_tokens],
        "levers": {name: decided.value for name, decided in plan.levers.items()},
        "micro_batch_size": plan["micro_batch_size"],
        "batch": batch.shape,
        "machine": [machine.host(), _device_name(device)],
        "arithmetic": [device.device, device.weights, device.precision, device.threads],
        "versions": versions(),
    }
    text = json.dumps(known, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def find(cache: Path, key: str) -> Rehearsal | None:
    """Return the rehearsal of this key; None if there is none, or it cannot be read."""
    path = cache / f"{key}.json"
    if not path.exists():
        return None
    try:
        return read_rehearsal(path)
    except (TemperError, KeyError, TypeError):
        return None


def keep(cache: Path, key: str, rehearsal: Rehearsal) -> None:
    """Keep a rehearsal for runs that are alike."""
    cache.mkdir(parents=True, exist_ok=True)
    write_json(cache / f"{key}.json", rehearsal.as_dict())


def _device_name(device: Device) -> Any:
    if device.device == "cpu":
        return "cpu"
    import torch

    return [torch.cuda.get_device_name(), torch.cuda.get_device_properties(0).total_memory]
