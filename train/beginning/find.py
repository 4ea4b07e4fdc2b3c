"""The earlier run that `train.from` names, and whether it can be gone on from. No torch."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalsuite.engine.subjects import START as START
from evalsuite.engine.subjects import Subject, demand_base, run_subject
from evalsuite.models.source import ModelSource, directory_source
from train.checkpoints import fault_of
from workspace.errors import DataError, ModelError, TemperError, UsageError
from workspace.files import read_json
from workspace.layout import Workspace

if TYPE_CHECKING:
    from train.recipe import TrainSection

RECORD = "run.json"
KEY = "train.from"


@dataclass(frozen=True)
class Link:
    """One run of a chain, as the runs after it keep it."""

    run: str
    dataset: str
    dataset_digest: str
    """SHA-256 of its rows."""
    weights_digest: str
    """SHA-256 of what it published."""


@dataclass(frozen=True)
class Beginning:
    """A finished run whose result another run begins with."""

    run: Path
    subject: Subject
    source: ModelSource
    """Where its shape is read before anything is merged: its base, or its own whole model. The
    digest is that of the weights with the adapter in them, which are not there yet."""
    dataset: Path
    """What it learnt from."""
    root: Mapping[str, Any]
    """The base of the first run of the chain, as recorded."""
    chain: tuple[Link, ...]
    """From the first run of all to this one."""

    def as_record(self, section: TrainSection) -> dict[str, Any]:
        """Return it as plain data for the record of the run that begins with it."""
        replay = section.tempering.replay
        is_its = replay is not None and replay.share > 0 and replay.dataset is None
        last = self.chain[-1]
        shown = {
            "run": self.run.name,
            "dataset": last.dataset,
            "digest": last.dataset_digest,
            "share": replay.share if replay else 0.0,
        }
        return {
            "run": self.run.name,
            "path": str(self.run),
            "weights_digest": last.weights_digest,
            "how": "merged" if self.subject.kind == "adapter" else "whole",
            "root": dict(self.root),
            "chain": [vars(link) for link in self.chain],
            "replayed": shown if is_its else None,
        }


def find_beginning(name: str, base_dir: Path, workspace: Workspace) -> Beginning:
    """Return the run that `train.from` names.

    Args:
        name: id, name or path of a run, or `latest`.
        base_dir: of the recipe: what a relative path is relative to.
        workspace: where it is looked for.

    Raises:
        UsageError: there is no such run, or it is a reward model's.
        ModelError: it is not finished, is damaged, or its base is gone or another one now.
        DataError: it begins, over other runs, with itself.
    """
    run = _directory(name, base_dir, workspace)
    record = read_json(run / RECORD, kind="run record")
    if record.get("method") == "reward":
        raise UsageError(
            "a run cannot begin with a reward model",
            where=f"{KEY}: {run.name}",
            cause="It gives a whole chat one number and does not write.",
            cure="Name a run that writes; a reward model is used in `rewards: [{kind: model}]`.",
        )
    _refuse_cycle(run, record)
    try:
        subject, _ = run_subject(run)
    except ModelError as error:
        raise ModelError(
            "the run to begin with is not finished",
            where=f"{KEY}: {run.name}",
            cause=error.cause,
            cure=f"Finish it with `temper resume {run.name}`, or name another.",
        ) from error
    fault = fault_of(subject.path)
    if fault is not None:
        raise ModelError(
            "the model of the run to begin with is damaged",
            where=str(subject.path),
            cause=f"{fault[0].upper()}{fault[1:]}.",
            cure="Restore it from a copy, or train it again.",
        )
    begun = record.get("begins") or {}
    own = Link(run.name, str(record["dataset"]), _digest_of_rows(run), subject.digest)
    before = tuple(Link(**link) for link in begun.get("chain", ()))
    root = begun.get("root") or record["base"]
    source = _source(run, record, subject)
    return Beginning(run, subject, source, Path(own.dataset), root, (*before, own))


def resolved_name(name: str, base_dir: Path, workspace: Workspace) -> str:
    """Return what names the run for good that `train.from` names now: later runs are no `latest`.

    Args:
        name: as in `find_beginning`.
        base_dir: of the recipe.
        workspace: where it is looked for.

    Raises:
        UsageError: there is no such run.
    """
    run = _directory(name, base_dir, workspace)
    return run.name if run.parent == workspace.runs.resolve() else str(run)


def begun_with(run: Path, record: Mapping[str, Any], section: TrainSection) -> ModelSource | None:
    """Return the model that a run began with, or None where that is the recipe's own.

    Args:
        run: that is to go on.
        record: its `run.json`.
        section: of the recipe as it is now.

    Raises:
        UsageError: the recipe names another run to begin with than when this one began.
        ModelError: the model is damaged.
    """
    was = record["settings"]["train"].get("from")
    if was != section.from_run:
        raise UsageError(
            "a run cannot change what it began with",
            where=f"{KEY}: {run.name}",
            cause=f"It was {was or 'left out'}, and is {section.from_run or 'left out'} now.",
            cure="Put it back as it was, or train anew with `temper train`.",
        )
    if "begins" not in record:
        return None
    fault = fault_of(run / START)
    if fault is not None:
        raise ModelError(
            "the model that this run began with is damaged",
            where=str(run / START),
            cause=f"{fault[0].upper()}{fault[1:]}.",
            cure="Restore it from a copy, or train again with `temper train`.",
        )
    return directory_source(run / START, name=str(record["begins"]["run"]))


def _directory(name: str, base_dir: Path, workspace: Workspace) -> Path:
    named = base_dir / Path(name).expanduser()
    if (named / RECORD).is_file():
        return named.resolve()
    try:
        return workspace.run(name)
    except UsageError as error:
        raise UsageError(
            f"there is no run {name!r} to begin with",
            where=KEY,
            cause=f"{error.title[0].upper()}{error.title[1:]}. It may have been deleted.",
            cure=f"{error.cure} `temper runs` lists them.",
        ) from error


def _refuse_cycle(run: Path, record: Mapping[str, Any]) -> None:
    """Follow the runs that it begins with; records that were copied or edited may lead back."""
    seen, current, known = [run.name], run, record
    while begun := known.get("begins"):
        path = Path(str(begun.get("path", "")))
        if path.name in seen:
            raise DataError(
                "these runs begin with each other",
                where=str(current / RECORD),
                cause=f"{' → '.join([*seen, path.name])}: none of them can have been the first.",
                cure="Restore the records, or begin with a run whose record is whole.",
            )
        if not (path / RECORD).is_file():
            return  # deleted since; what is after it does not need it
        seen.append(path.name)
        current, known = path, read_json(path / RECORD, kind="run record")


def _digest_of_rows(run: Path) -> str:
    plan = read_json(run / "plan.json", kind="plan")
    return next(str(one["digest"]) for one in plan["sources"] if one["role"] == "train")


def _source(run: Path, record: Mapping[str, Any], subject: Subject) -> ModelSource:
    """Return where the shape is, with a digest of the weights to come."""
    if subject.kind == "full":
        return directory_source(subject.path, name=run.name)
    base = demand_base(
        subject,
        "the base of the run to begin with is gone",
        "Put it back, or train that run again.",
    )
    try:
        source = directory_source(base.path, name=run.name)
    except TemperError as error:
        raise ModelError(error.title, where=error.where, cause=error.cause) from error
    if source.digest != record["base"]["digest"]:
        raise ModelError(
            "the base of the run to begin with is not what it was",
            where=str(source.path),
            cause=f"{run.name} was trained on {str(record['base']['digest'])[:12]}; it is "
            f"{source.digest[:12]} now.",
            cure="Put the base back as it was.",
        )
    both = hashlib.sha256(f"{source.digest}\0{subject.digest}".encode()).hexdigest()
    return ModelSource(run.name, source.path, both)
