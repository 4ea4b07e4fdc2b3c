"""The gaps that a comparison with real inputs found, as what to make rows for."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from curate.synth.recipe import Deficits
from workspace.errors import DataError
from workspace.files import read_json
from workspace.text import plain

_WAY_OUT = (
    "`temper eval RUN --failures FILE` and `temper curate coverage DATA --against REAL --deficits "
    "FILE` write one."
)


class GapEntry(BaseModel):
    """One gap in the file."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    name: str
    rows: int = Field(ge=1)
    """Rows to make."""
    why: str = ""
    seeds: tuple[str, ...] = Field(alias="from")
    """Ids of the source rows to make them from."""


@dataclass(frozen=True)
class Gap:
    """A gap whose source rows were found."""

    name: str
    rows: int
    pool: NDArray[np.int64]
    """Places of the source rows."""
    why: str


def gap_deficits(target: Deficits, ids: pl.Series, base_dir: Path) -> tuple[list[Gap], list[str]]:
    """Return the gaps of a file that rows can be made for, and what a person should know.

    Args:
        target: which file, which gaps.
        ids: of the source rows, at their places.
        base_dir: what the path is relative to.

    Raises:
        DataError: no such file or gap, or the file is of another kind.
    """
    path = base_dir / Path(target.path).expanduser()
    entries = _read(path)
    unknown = sorted({*target.only} - {entry.name for entry in entries})
    if unknown:
        known = ", ".join(plain(entry.name, 60) for entry in entries) or "none"
        raise DataError(
            f"this file has no gap {unknown[0]!r}", where=str(path), cause=f"It has: {known}."
        )
    out, notes = [], []
    for entry in entries:
        if target.only and entry.name not in target.only:
            continue
        pool = ids.is_in(list(entry.seeds)).arg_true().to_numpy().astype(np.int64)
        wanted = min(entry.rows, target.most or entry.rows)
        if pool.size:
            out.append(Gap(entry.name, wanted, pool, entry.why))
        else:
            notes.append(f"{plain(entry.name, 60)}: no source row is near; nothing can be made.")
    if not entries:
        notes.append(f"{path.name} has no gap.")
    return out, notes


def _read(path: Path) -> list[GapEntry]:
    if not path.is_file():
        raise DataError("there is no such file of deficits", where=str(path), cure=_WAY_OUT)
    try:
        return [GapEntry.model_validate(entry) for entry in _entries(path)]
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise DataError(
            "this file of deficits cannot be read",
            where=f"{path}: {place}",
            cause=f"{first['msg']}.",
            cure=_WAY_OUT,
        ) from None


def _entries(path: Path) -> list[Any]:
    """Return the gaps of a document, or of a .jsonl with a gap a line."""
    if path.suffix != ".jsonl":
        document: dict[str, Any] = read_json(path, kind="deficits")
        return list(document.get("deficits", []))
    entries = []
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        if line.strip():
            try:
                entries.append(json.loads(line))
            except ValueError as error:
                raise DataError(
                    "this line is no gap",
                    where=f"{path}:{number}",
                    cause=f"{error}.",
                    cure=_WAY_OUT,
                ) from None
    return entries
