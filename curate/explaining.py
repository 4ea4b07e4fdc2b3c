"""What became of one row of a dataset, and why."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from curate.phrases import phrase
from curate.scores import SCORES
from curate.splitting import SPLITS
from curate.texts import IMAGE_MARK, TYPES
from workspace.errors import UsageError
from workspace.files import read_json
from workspace.text import plain

_LEAST_ID = 6


@dataclass(frozen=True)
class Story:
    """A dropped row, and the row it repeats, if it does."""

    place: str
    step: str
    reason: str
    detail: str
    text: str
    partner_place: str = ""
    partner_state: str = ""
    partner_text: str = ""


def dropped_stories(dataset: Path, reason: str | None, most: int) -> tuple[int, list[Story]]:
    """Return how many rows were dropped, and what became of the first of them.

    Args:
        dataset: a dataset directory.
        reason: of these alone.
        most: how many to tell.

    Raises:
        UsageError: no row was dropped for this reason.
    """
    kind = str(read_json(dataset / "ledger.json", kind="ledger")["type"])
    frame = pl.read_parquet(dataset / "dropped.parquet", glob=False)
    rows = frame if reason is None else frame.filter(pl.col("reason") == reason)
    if reason is not None and rows.is_empty():
        raise UsageError(
            f"no row was dropped as {reason!r}",
            where=str(dataset),
            cause=f"Reasons: {', '.join(sorted(frame['reason'].unique())) or 'none'}.",
        )
    return rows.height, [_story(dataset, kind, held) for held in rows.head(most).to_dicts()]


def _story(dataset: Path, kind: str, held: dict[str, Any]) -> Story:
    own = (
        f"{held['source']}:{held['row']}",
        held["step"],
        held["reason"],
        held["detail"],
        _shown(held, kind),
    )
    partner = held["duplicate_of"]
    if not partner:
        return Story(*own)
    other = find_row(dataset, partner)
    place = f"{other['source']}:{other['row']}"
    return Story(*own, place, str(other["verdict"]), str(other["row holds"]))


def find_row(dataset: Path, wanted: str) -> dict[str, Any]:
    """Return the story of a row: kept in which split, or dropped at which step and why.

    Args:
        dataset: a dataset directory.
        wanted: an id or a beginning of one that no other row has, or `FILE:ROW` with the file as
            the recipe names it, as a path, or by its name alone where no other file has it.

    Raises:
        UsageError: no such row was read, or it may be several.
    """
    kind = str(read_json(dataset / "ledger.json", kind="ledger")["type"])
    wanted = _whole(dataset, wanted)
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
                **{key: value for key, value in held["meta"].items() if key != SCORES},
                **_scores(held["meta"].get(SCORES)),
                **_alterations(dataset, held["id"]),
                **_making(dataset, held["id"]),
                "row holds": _shown(held, kind),
            }
    frame = pl.read_parquet(dataset / "dropped.parquet", glob=False)
    place = phrase("{}:{}", "source", "row")
    for held in frame.filter((pl.col("id") == wanted) | (place == wanted)).iter_rows(named=True):
        story = {key: held[key] for key in ("id", "source", "row", "reason", "detail")}
        partner = held["duplicate_of"]
        return {
            "verdict": f"dropped at {held['step']}",
            **story,
            **_scores(held.get(SCORES)),
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


def _whole(dataset: Path, wanted: str) -> str:
    """Return the id or `FILE:ROW` that is meant, as the dataset has it."""
    file, _, number = wanted.rpartition(":")
    if file and number.isdigit():
        return f"{_source(dataset, file)}:{number}"
    ids: set[str] = set()
    for name in (*SPLITS, "dropped"):
        path = dataset / f"{name}.parquet"
        if path.is_file():
            begins = pl.col("id").str.starts_with(wanted)
            ids.update(
                pl.scan_parquet(path, glob=False).filter(begins).select("id").collect()["id"]
            )
    if wanted in ids or not ids or len(wanted) < _LEAST_ID:
        return wanted
    if len(ids) > 1:
        raise UsageError(
            f"{wanted!r} is the beginning of {len(ids):,} ids",
            where=str(dataset),
            cause=f"For example {', '.join(sorted(ids)[:3])}.",
            cure="Give more of it.",
        )
    return ids.pop()


def _source(dataset: Path, file: str) -> str:
    """Return the source that a path means, as the ledger calls it."""
    ledger = read_json(dataset / "ledger.json", kind="ledger")
    names = [str(source["name"]) for source in ledger.get("sources", ())]
    if file in names:
        return file
    root = next(iter(dataset.parents[2:3]), dataset)
    asked = Path(file).absolute().resolve()
    same = [name for name in names if (root / name).resolve() == asked]
    same = same or [name for name in names if Path(name).name == Path(file).name]
    if len(same) == 1:
        return same[0]
    raise UsageError(
        "this file is not a source of the dataset" if not same else "several sources are called so",
        where=file,
        cause=f"Its sources: {', '.join(names)}.",
        cure="Name one of them.",
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


def _scores(scores: dict[str, float | None] | None) -> dict[str, str]:
    """Return the scores of a row, those it lacks as such."""
    return {
        f"score {name}": "none" if value is None else f"{value:.6g}"
        for name, value in (scores or {}).items()
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
        parts += [f"{turn['role']}: {_said(turn['content'])}" for turn in row.get(column) or ()]
    parts += [str(row[column]) for column in TYPES[kind].plain if row.get(column) is not None]
    return plain("\n".join(parts), 1000)


def _said(content: str | list[dict[str, Any]] | None) -> str | None:
    """Return what a turn says; of content parts the text, and where an image stands."""
    if isinstance(content, str):  # a dropped row: images are there by their digests alone
        return re.sub(IMAGE_MARK, "[image] ", content)
    if content is None:
        return None
    return "".join(part["text"] if part["type"] == "text" else "[image] " for part in content)
