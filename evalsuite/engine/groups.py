"""Runs that are many: one adapter for each group of rows. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from workspace.errors import ModelError, TemperError
from workspace.files import read_json
from workspace.layout import Workspace


def members(name: str, workspace: Workspace) -> list[str]:
    """Return the runs that a name means: those of all its groups, or itself.

    Args:
        name: id, name or path of a run, or a model directory.
        workspace: where it is looked for.

    Raises:
        ModelError: some of its groups are not finished.
    """
    try:
        run = Path(name) if (Path(name) / "run.json").is_file() else workspace.run(name)
    except TemperError:
        return [name]  # whoever looks for it says what is wrong
    groups: list[dict[str, Any]] | None = read_json(run / "run.json", kind="run record").get(
        "groups"
    )
    if groups is None:
        return [name]
    places = [run.resolve().parent / str(one["run"]) for one in groups]
    missing = [place.name for place in places if not (place / "model").is_dir()]
    if missing:
        raise ModelError(
            "not all groups of this run are finished",
            where=str(run),
            cause=f"{len(missing)} of {len(places)} are not, {missing[0]} the first.",
            cure=f"Finish them with `temper resume {run.name}`, or name those that are.",
        )
    return [str(place) for place in places]


def all_members(names: Sequence[str], workspace: Workspace) -> list[str]:
    """Return the runs that several names mean, each once."""
    return list(dict.fromkeys(one for name in names for one in members(name, workspace)))
