"""The run that is to be had on a new base, and its recipe there. No torch."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from evalsuite.engine.subjects import Subject, find_subject
from evalsuite.models import ModelSection, ModelSource
from evalsuite.models.source import is_hub_name
from train.record import read_record
from train.resume import Loader
from workspace.errors import TemperError, UsageError
from workspace.layout import Workspace
from workspace.recipe import Recipe

_SLUG = 20


@dataclass(frozen=True)
class Old:
    """A finished run."""

    directory: Path
    record: dict[str, Any]
    subject: Subject


def find_old(name: str, workspace: Workspace) -> Old:
    """Return the run that `name` means.

    Raises:
        UsageError: there is none, it is a reward model's, or it goes on from another run.
        ModelError: it is not finished.
    """
    directory = workspace.run(name)
    record = read_record(directory)
    subject = find_subject(str(directory), workspace)
    if "dialled" in record:
        raise UsageError(
            "a dialled run has no training of its own to repeat",
            where=directory.name,
            cause="It is a point between its parent's base and weights.",
            cure=f"Rebase its parent: temper rebase {record['dialled']['parent']} --base BASE",
        )
    if "stage" in record or "begins" in record:
        raise UsageError(
            "this run goes on from another, which is on the old base",
            where=directory.name,
            cause="What it begins with would have to be made on the new base first.",
            cure="Rebase the first run of the chain, then train the others with `train.from`; of "
            f"stages, train them all: temper train {record['recipe']} --set model.path=BASE",
        )
    return Old(directory, record, subject)


def new_recipe(
    old: Old, base: str, revision: str | None, overrides: Sequence[str], load: Loader
) -> Recipe:
    """Return the run's resolved recipe with another model, on the very rows that it learnt from.

    Values that the recipe leaves to the plan (the rate, the length …) are decided for the new
    model.

    Args:
        old: the run.
        base: a directory (relative to the current one), a hub name or `builtin`.
        revision: of a hub model.
        overrides: `key=value`, over the recipe.
        load: reads a recipe with overrides.
    """
    copy = old.directory / "recipe.yaml"
    place = Path(str(old.record["recipe"]))
    given = [f"model.path={_quoted(_path(base))}", f"model.revision={revision or 'null'}"]
    if old.record["method"] != "rft":  # of which the record names the rows that it made itself
        given.append(f"train.dataset={_quoted(str(old.record['dataset']))}")
    if old.record.get("replay"):
        given.append(f"train.tempering.replay.dataset={_quoted(str(old.record['replay']))}")
    try:
        recipe = load(copy, [*given, *overrides])
    except TemperError as error:
        error.where = error.where or str(copy)
        raise
    return replace(recipe, path=place)


def refuse_same_base(old: Old, source: ModelSource) -> None:
    """Refuse a base that is the run's own.

    Raises:
        UsageError: it is.
    """
    if source.digest == old.record["base"]["digest"]:
        raise UsageError(
            "this run is on that base already",
            where=f"--base {source.name}",
            cause=f"{old.directory.name} was trained from {old.record['base']['name']}, whose "
            f"files are the same ({source.digest[:12]}).",
            cure="Name another base, or train again with `temper train`.",
        )


def new_name(old: Old, source: ModelSource) -> str:
    """Return what the new run is called: NAME-on-BASE."""
    slug = re.sub(r"[^a-z0-9]+", "-", Path(source.name).name.lower()).strip("-")[:_SLUG]
    return f"{old.record['name']}"[: 63 - _SLUG - 4] + f"-on-{slug or 'base'}"


def _path(base: str) -> str:
    named = Path(base).expanduser()
    if base == "builtin" or is_hub_name(ModelSection(path=base), Path.cwd()):
        return base
    return str(named.resolve())


def _quoted(text: str) -> str:
    from workspace.yaml import scalar

    return scalar(text)
