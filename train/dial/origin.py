"""The run that is dialled, and whether there is a path from its base to it. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from evalsuite.engine.subjects import Subject, find_subject
from train.adapter_sections import Adapter
from train.checkpoints import MANIFEST, demand_whole, fault_of
from train.record import published_step, read_record
from workspace.errors import TemperError, UsageError
from workspace.files import read_json
from workspace.layout import Workspace

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
LINEAR = frozenset(
    {"LORA", "ADALORA", "IA3", "VERA", "LOHA", "LOKR", "SHIRA", "FOURIERFT", "LN_TUNING"}
)
"""peft's tuners whose effect on the weights is linear in some part of them, which is scaled."""
_TURNS = "it turns the weights by an orthogonal matrix, and half of a turn is no scale of it"
_NOT_LINEAR = {
    "OFT": _TURNS,
    "BOFT": _TURNS,
    "HRA": _TURNS,
    "OSF": "it replaces singular directions of the weights, in which nothing can be scaled alone",
    "MISS": "whether its effect is linear depends on its variant, which is not looked into",
}


@dataclass(frozen=True)
class Origin:
    """A finished run whose strength can be dialled."""

    directory: Path
    record: dict[str, Any]
    """`run.json`."""
    subject: Subject
    tuner: str
    """peft's name of the adapter; `full` where all weights were trained."""
    manifest: dict[str, Any]
    """Of the published model."""
    checkpoints: dict[int, Path]
    """Step → directory of each whole checkpoint before the end."""
    notes: tuple[str, ...]
    """What cannot be measured, and why."""

    def weights(self, step: int) -> Path:
        """Return the directory with the weights of a checkpoint; 0 means the finished model."""
        return self.checkpoints[step] if step else self.subject.path


def find_origin(name: str, workspace: Workspace, *, checkpoints: bool = True) -> Origin:
    """Return the run that `name` means.

    Args:
        name: id, name or path of a run, or `latest`.
        workspace: where it is looked for.
        checkpoints: whether to look for kept checkpoints too.

    Raises:
        UsageError: there is no such run, it is a reward model's, or its adapter has no scale.
        ModelError: it is not finished, or its model is damaged.
    """
    directory = workspace.run(name)
    record = read_record(directory)
    subject = find_subject(str(directory), workspace)
    demand_whole(subject.path, "the model of this run is damaged")
    tuner = _tuner(subject)
    found, notes = _checkpoints(directory, record, tuner) if checkpoints else ({}, ())
    manifest = read_json(subject.path / MANIFEST, kind="manifest")
    return Origin(directory, record, subject, tuner, manifest, found, notes)


def _tuner(subject: Subject) -> str:
    """Return the tuner's name, having refused those that have no scale."""
    if subject.kind == "full":
        return "full"
    tuner = str(read_json(subject.path / CONFIG, kind="adapter").get("peft_type"))
    if tuner not in LINEAR:
        why = _NOT_LINEAR.get(tuner, "nothing is known here of how its effect scales")
        raise UsageError(
            f"an adapter of kind {tuner} cannot be dialled",
            where=str(subject.path),
            cause=f"Between off and on there is no scale: {why}.",
            cure=f"Those that can: {', '.join(sorted(LINEAR))}, and full fine-tuning.",
        )
    return tuner


def _checkpoints(
    directory: Path, record: dict[str, Any], tuner: str
) -> tuple[dict[int, Path], tuple[str, ...]]:
    """Return whole checkpoints of other steps than the model's, and what is to be said of them."""
    by_step = {
        int(path.name[5:]): path
        for path in (directory / "checkpoints").glob("step-*")
        if path.name[5:].isdigit()
    }
    last, known = int(record["steps"]), published_step(record)
    before = {step: by_step[step] for step in sorted(by_step) if step < last and step != known}
    if not before:
        return {}, ()
    reason = _no_checkpoints(record, tuner)
    if reason:
        return {}, (f"checkpoints are not measured: {reason}",)
    faults = {step: fault_of(path) for step, path in before.items()}
    notes = tuple(f"checkpoint {s} is not measured: {why}" for s, why in faults.items() if why)
    return {step: path for step, path in before.items() if not faults[step]}, notes


def _no_checkpoints(record: dict[str, Any], tuner: str) -> str:
    """Return why a run's checkpoints hold no model of their own; empty where they do."""
    if tuner == "ADALORA":
        return "the ranks of AdaLoRA are not yet the published ones in them"
    try:
        section = TypeAdapter[Any](Adapter).validate_python(record["settings"]["train"]["adapter"])
    except (KeyError, TypeError, ValidationError, TemperError):
        return "the run does not say how its adapter began"
    if section.splits_weights:
        return "their adapter fits the base only without what it took out of it"
    return ""
