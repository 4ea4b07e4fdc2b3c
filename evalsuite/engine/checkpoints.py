"""Checkpoints of a run, finished or not, as tuned models: `RUN@step-400`. No torch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from evalsuite.engine.subjects import Subject, quantization_of, run_parts
from workspace.errors import ModelError, TemperError, UsageError
from workspace.files import hash_file, read_json
from workspace.layout import Workspace

MARK = "@"
"""Between the name of a run and that of its checkpoint."""
_STEP = "step-"
_STATE = frozenset(
    {"optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json", "training_args.bin"}
)
"""Files that decide how training goes on, not what the model answers."""
_SPLITS = frozenset({"pissa", "pissa_fast", "olora"})
"""First weights that an adapter takes out of the base's: only publishing puts them back."""


def names_checkpoint(name: str) -> bool:
    """Whether a name means a checkpoint: `RUN@step-400`.

    >>> names_checkpoint("mine@step-400"), names_checkpoint("mine"), names_checkpoint("a@b")
    (True, False, False)
    """
    return name.rpartition(MARK)[2].startswith(_STEP) and MARK in name


def find_checkpoint(name: str, workspace: Workspace) -> Subject:
    """Return the tuned model that `RUN@step-400` means.

    Args:
        name: id, name or path of a run, and one of its checkpoints.
        workspace: where it is looked for.

    Raises:
        UsageError: there is no such run or checkpoint.
        ModelError: it is damaged, or holds no model of its own.
    """
    title, _, step = name.rpartition(MARK)
    run = workspace.run(title)
    record = read_json(run / "run.json", kind="run record")
    path = run / "checkpoints" / step
    if not path.is_dir() or not step[len(_STEP) :].isdigit():
        raise UsageError(
            "there is no such checkpoint",
            where=str(path),
            cause=f"Kept are: {', '.join(kept_checkpoints(run)) or 'none'}.",
            cure="`train.keep_checkpoints` keeps more of them.",
        )
    _check_whole(path)
    _check_own(path, record, finished=(run / "model").is_dir())
    subject = run_parts(run, record, path, ignore=_STATE)
    published = run / "model"
    return replace(
        subject,
        name=f"{subject.name}{MARK}{step}",
        run=f"{run.name}{MARK}{step}",
        quantization=quantization_of(published),
        tokenizer=published if (published / "tokenizer.json").is_file() else subject.tokenizer,
    )


def kept_checkpoints(run: Path) -> list[str]:
    """Return the names of a run's checkpoints, the first step first."""
    found = [
        path.name
        for path in (run / "checkpoints").glob(f"{_STEP}*")
        if path.name[len(_STEP) :].isdigit()
    ]
    return sorted(found, key=lambda name: int(name[len(_STEP) :]))


def _check_whole(path: Path) -> None:
    """Compare the files that make the model with the manifest, which is written last."""
    try:
        files = read_json(path / "manifest.json", kind="manifest").get("files") or {}
    except TemperError as error:
        raise _damaged(path, f"{error.title[0].upper()}{error.title[1:]}.") from None
    for name, digest in files.items():
        if name in _STATE:
            continue
        if not (path / name).is_file():
            raise _damaged(path, f"{name} is missing.")
        if hash_file(path / name) != digest:
            raise _damaged(path, f"{name} is not the one that was written.")


def _damaged(path: Path, cause: str) -> ModelError:
    return ModelError(
        "this checkpoint is damaged",
        where=str(path),
        cause=cause,
        cure="Name another checkpoint, or train again.",
    )


def _check_own(path: Path, record: dict[str, Any], *, finished: bool) -> None:
    """Refuse weights that are no model until they are published."""
    config = path / "adapter_config.json"
    told = read_json(config, kind="adapter") if config.is_file() else {}
    why = ""
    if told.get("peft_type") == "ADALORA":
        why = "The ranks of AdaLoRA are not yet the published ones in it."
    elif told.get("init_lora_weights") in _SPLITS:
        why = "Its adapter fits the base only without what it took out of it."
    elif record.get("adapter") == "qlora" and not finished:
        why = "Only a finished run says in which 4 bits its base was held."
    if why:
        raise ModelError(
            "this checkpoint cannot be measured",
            where=str(path),
            cause=why,
            cure="Measure the finished run.",
        )
