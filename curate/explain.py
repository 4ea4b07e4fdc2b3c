"""What became of one row of a dataset, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from curate.splitting import SPLITS
from curate.texts import TYPES
from workspace.errors import UsageError
from workspace.files import read_json
from workspace.text import plain


def find_row(dataset: Path, wanted: str) -> dict[str, Any]:
    """Return the story of a row: kept in which split, or dropped at which step and why.

    Args:
        dataset: a dataset directory.
        wanted: an id, or `FILE:ROW` as the report shows it.

    Raises:
        UsageError: no such row was read.
    """
    kind = str(read_json(dataset / "ledger.json", kind="ledger")["type"])
    file, _, number = wanted.rpartition(":")
    for split in SPLITS:
        path = dataset / f"{split}.parquet"
        if not path.is_file():
            continue
        meta = pl.col("meta").struct
        row = pl.lit(int(number)) if file and number.isdigit() else pl.lit(None, pl.Int64)
        here = (meta.field("source") == file) & (meta.field("row") == row)
        found = pl.scan_parquet(path, glob=False).filter((pl.col("id") == wanted) | here).collect()
        for held in found.iter_rows(named=True):
            return {
                "verdict": f"kept in {split}",
                "id": held["id"],
                **held["meta"],
                **_alterations(dataset, held["id"]),
                **_making(dataset, held["id"]),
                "row holds": _shown(held, kind),
            }
    frame = pl.read_parquet(dataset / "dropped.parquet", glob=False)
    place = pl.format("{}:{}", "source", "row")
    for held in frame.filter((pl.col("id") == wanted) | (place == wanted)).iter_rows(named=True):
        story = {key: held[key] for key in ("id", "source", "row", "reason", "detail")}
        partner = held["duplicate_of"]
        return {
            "verdict": f"dropped at {held['step']}",
            **story,
            **_alterations(dataset, held["id"]),
            **_making(dataset, held["id"]),
            "duplicate of": partner,
            "row holds": _shown(held, kind),
            "that row holds": _partner(dataset, partner, kind) if partner else None,
        }
    raise UsageError(
        f"no row {wanted!r} was read for this dataset",
        where=str(dataset),
        cure="Give an id from a Parquet file, or FILE:ROW as in report.html.",
    )


def _alterations(dataset: Path, row_id: str) -> dict[str, str]:
    """Return what each step changed of a row, or that it made it."""
    path = dataset / "altered.parquet"
    if not path.is_file():
        return {}
    rows = pl.read_parquet(path, glob=False).filter(pl.col("id") == row_id)
    return {
        f"{row['what']} at {row['step']}": f"{row['reason']}: {row['detail']}"
        for row in rows.iter_rows(named=True)
    }


def _making(dataset: Path, row_id: str) -> dict[str, Any]:
    """Return how a row was made: by whom, from what, with which prompt and seed, at what cost."""
    path = dataset / "made.parquet"
    if not path.is_file():
        return {}
    rows = pl.read_parquet(path, glob=False).filter(pl.col("id") == row_id)
    return {
        "made from" if name == "parents" else name.replace("_", " "): value
        for row in rows.iter_rows(named=True)
        for name, value in row.items()
        if name not in ("id", "accepted", "reason") and value not in (None, [], "")
    }


def _partner(dataset: Path, wanted: str, kind: str) -> str | None:
    try:
        story = find_row(dataset, wanted)
    except UsageError:
        return None  # a made row may be too near to one of the dataset that it was made from
    return str(story["row holds"])


def _shown(row: dict[str, Any], kind: str) -> str:
    if row.get("raw"):
        return plain(str(row["raw"]), 1000)
    parts = []
    for column in TYPES[kind].turns:
        parts += [f"{turn['role']}: {turn['content']}" for turn in row.get(column) or ()]
    parts += [str(row[column]) for column in TYPES[kind].plain if row.get(column) is not None]
    return plain("\n".join(parts), 1000)
