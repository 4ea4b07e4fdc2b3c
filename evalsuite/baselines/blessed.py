"""Blessed evaluations: `baselines/NAME.json`, which says what counts as good and who said so."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from evalsuite.report.document import Results, read_results
from workspace.errors import DataError, UsageError
from workspace.files import hash_file, read_json, write_json
from workspace.layout import Workspace, checked_name

FILES = ("results.json", "samples.parquet")


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Blessing(_Record):
    """One evaluation of one model that was blessed."""

    evaluation: str
    """Its id, below `evals/`."""
    model: str
    """What the evaluation calls the model."""
    created: str
    """When it was blessed, ISO 8601."""
    why: str = ""
    """In the words of the one who did."""
    digests: dict[str, str]
    """SHA-256 of its files as they were blessed."""


class Baseline(_Record):
    """A name and what it stands for."""

    schema_version: Literal[1] = 1
    name: str
    blessed: Blessing
    """What the name stands for now."""
    earlier: list[Blessing] = Field(default_factory=list)
    """What it stood for before, the latest first."""
    looks: int = 0
    """How often `temper monitor` has looked since it was blessed."""


def baselines(workspace: Workspace) -> Path:
    """Return the directory of blessed evaluations."""
    return workspace.root / "baselines"


def bless(
    workspace: Workspace, evaluation: str, name: str, *, model: str | None = None, why: str = ""
) -> Baseline:
    """Let `name` stand for an evaluation of a model from now on.

    Args:
        workspace: whose evaluations and baselines.
        evaluation: id, name or path of an evaluation.
        name: of the baseline; what it stood for before is kept in the record.
        model: which of the evaluation's models; without, its only tuned one.
        why: the reason.

    Raises:
        UsageError: no such evaluation or model, several tuned models, an invalid evaluation, or a
            name that cannot be one.
        DataError: the evaluation's files are missing or damaged.
    """
    checked_name(name, what="baseline")
    directory = workspace.evaluation(evaluation)
    if directory.parent != workspace.evals.resolve():
        raise UsageError(
            "only an evaluation of this workspace can be blessed",
            where=str(directory),
            cause=f"Baselines are found again below {workspace.evals}.",
        )
    results = read_results(directory)
    chosen = chosen_model(results, model)
    _refuse_invalid(results, chosen, directory)
    blessing = Blessing(
        evaluation=directory.name,
        model=chosen,
        created=datetime.now(UTC).astimezone().isoformat(timespec="seconds"),
        why=why,
        digests={file: hash_file(directory / file) for file in FILES},
    )
    path = baselines(workspace) / f"{name}.json"
    earlier: list[Blessing] = []
    if path.is_file():
        before = read_baseline(path)
        earlier = [before.blessed, *before.earlier]
    baseline = Baseline(name=name, blessed=blessing, earlier=earlier)
    workspace.make(path.parent)
    write_json(path, baseline.model_dump(mode="json"))
    return baseline


def chosen_model(results: Results, model: str | None) -> str:
    """Return the model meant: the one named, else the only tuned one.

    Raises:
        UsageError: there is no such model, or there are several tuned ones.
    """
    tuned = [one.name for one in results.models if one.role == "tuned"]
    if model is None and len(tuned) == 1:
        return tuned[0]
    known = [one.name for one in results.models]
    if model in known:
        return model
    raise UsageError(
        f"{results.id} has no model {model!r}" if model else "it is not said which model is meant",
        cause=f"{results.id} has: {', '.join(known)}.",
        cure="Name one with --model.",
    )


def read_baseline(path: Path) -> Baseline:
    """Read a baseline's record.

    Raises:
        DataError: it is missing, not JSON or of another shape.
    """
    try:
        return Baseline.model_validate(read_json(path, kind="baseline"))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise DataError(
            "this baseline cannot be read",
            where=f"{path}: {'.'.join(map(str, first['loc']))}",
            cause=f"{first['msg']}.",
            cure="Bless an evaluation under this name again.",
        ) from None


def all_baselines(workspace: Workspace) -> list[Baseline]:
    """Return every baseline, by name. Raises as `read_baseline`."""
    return [read_baseline(path) for path in sorted(baselines(workspace).glob("[!.]*.json"))]


def _refuse_invalid(results: Results, model: str, directory: Path) -> None:
    if model == "base" and (failed := [one for one in results.canaries if one.status == "fail"]):
        raise UsageError(
            "an invalid evaluation cannot be blessed",
            where=str(directory),
            cause="; ".join(f"{one.name}: {one.detail}" for one in failed),
            cure="Evaluate again once the check of the measurement passes.",
        )
    for comparison in results.comparisons:
        if comparison.tuned == model and comparison.verdict.status == "invalid":
            raise UsageError(
                "an invalid evaluation cannot be blessed",
                where=str(directory),
                cause=comparison.verdict.headline,
                cure="Evaluate again once the check of the measurement passes.",
            )
