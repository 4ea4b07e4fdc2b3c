"""What is exported: a finished run with its base, tokenizer and standing. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalsuite.engine.subjects import NamedBase, Subject, run_subject
from evalsuite.models import ChatTokenizer, ModelSection, ModelSource, resolve_model
from evalsuite.models.source import directory_source
from train.checkpoints import demand_whole
from train.export.standing import Standing, find_standing
from workspace.errors import ModelError, TemperError, UsageError
from workspace.layout import Workspace
from workspace.secrets import redact


@dataclass(frozen=True)
class Shipment:
    """A run that is to leave the workspace."""

    run: Path
    record: Mapping[str, Any]
    """`run.json`."""
    subject: Subject
    base: ModelSource
    """As it is on disk now; its digest is the one recorded at training."""
    tokenizer: ChatTokenizer
    workspace: Workspace

    @property
    def is_reward(self) -> bool:
        """Whether the model scores instead of writing."""
        return self.record.get("method") == "reward"

    @property
    def begins(self) -> Mapping[str, Any]:
        """What its record says of the runs that it goes on from; empty where it is the first."""
        return self.record.get("begins") or {}

    def standing(self, override: str = "") -> Standing:
        """Return what the gate says of these weights.

        A reward model writes nothing that suites could judge: no gate applies to it.
        """
        if self.is_reward:
            return Standing("not applicable", "A reward model writes no answers to be judged.")
        found = find_standing(self.subject, self.base.digest, self.workspace.evals)
        return Standing(
            found.status,
            found.headline,
            found.judged,
            found.unreadable,
            "" if found.passed else redact(override),
        )


def open_shipment(name: str, workspace: Workspace, *, base: str | None = None) -> Shipment:
    """Find a run and everything that leaves with it.

    Args:
        name: id, name or path of a run.
        workspace: where it is looked for.
        base: where the base is now, if it has moved.

    Raises:
        UsageError: there is no such run.
        ModelError: it is not finished, its files were changed since training, or its base is gone
            or another one now.
    """
    run = workspace.run(name)
    subject, record = run_subject(run)
    demand_whole(subject.path, "this run's model is not the one that was trained")
    source = found_base(subject, base)
    recorded = str(record["base"].get("digest") or "")
    if recorded and source.digest != recorded:
        raise ModelError(
            "the base is not the one that this run was trained from",
            where=str(source.path),
            cause=f"Its weights, config, tokenizer or template changed: SHA-256 "
            f"{source.digest[:12]} now, {recorded[:12]} at training.",
            cure="Restore it, or say where the original is with --base.",
        )
    home = run.parent.parent if run.parent.name == "runs" else workspace.root
    tokenizer = ChatTokenizer.from_dir(subject.tokenizer)
    return Shipment(run, record, subject, source, tokenizer, Workspace(home))


def found_base(subject: Subject, given: str | None) -> ModelSource:
    """Return the base of a run as it is on disk now: as given, where it was, or by its name.

    Raises:
        ModelError: it is in none of these places.
    """
    named = subject.base
    assert named is not None  # a run without one is refused by run_subject
    if given is not None:
        return resolve_model(ModelSection(path=given), Path.cwd())
    if named.path.is_dir():
        return directory_source(named.path, name=named.name, revision=named.revision)
    return _fetched_again(named)


def _fetched_again(named: NamedBase) -> ModelSource:
    """Find a base by its name, where the directory it had at training is gone."""
    try:
        return resolve_model(ModelSection(path=named.name, revision=named.revision), Path.cwd())
    except TemperError as error:
        raise ModelError(
            "the base of this run is gone",
            where=str(named.path),
            cause=f"{named.name}: {error.title}.",
            cure="Say where it is now with --base; its digest is compared with the recorded one.",
        ) from error


def refuse_reward(shipment: Shipment, *, what: str) -> None:
    """Refuse what only a model that writes can do.

    Raises:
        UsageError: the run is a reward model.
    """
    if shipment.is_reward:
        raise UsageError(
            f"a reward model cannot {what}",
            where=shipment.run.name,
            cause="It gives a whole chat one number and writes nothing.",
            cure=f"Score with it: temper curate score reward ROWS --model "
            f"{shipment.subject.path} -o SCORED.jsonl",
        )
