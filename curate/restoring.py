"""Decisions about rows of a published dataset, found there and written beside its recipe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from curate.curating import decisions_file
from curate.decisions import Decision, Decisions, add_decisions, load_decisions
from curate.phrases import phrase
from curate.splitting import SPLITS
from workspace.errors import UsageError
from workspace.layout import RECIPE, Workspace
from workspace.yaml import load_yaml

_UNREAD = ("read", "normalise")


@dataclass(frozen=True)
class Told:
    """What was written down."""

    file: Path
    rows: int
    new: int
    command: str
    """What applies it."""


def decide_to_keep(
    workspace: Workspace, dataset: Path, rows: Sequence[str], reason: str | None, why: str
) -> Told:
    """Write down that dropped rows are to be kept.

    Args:
        workspace: where the recipe is.
        dataset: the directory of a published dataset.
        rows: ids or `file:row`.
        reason: further, every row dropped for this reason.
        why: kept with each decision.

    Raises:
        UsageError: no row is named, one was not dropped, or one could not be read at all; or the
            dataset is an augmentation, whose rows get other ids in the curation that reads them.
    """
    _refuse_augmented(dataset)
    dropped = pl.read_parquet(dataset / "dropped.parquet", glob=False)
    found = _named(dropped, rows, dataset, "was not dropped")
    if reason is not None:
        more = dropped.filter(pl.col("reason") == reason)
        if more.is_empty():
            known = ", ".join(sorted(dropped["reason"].unique())) or "none"
            raise UsageError(
                f"no row was dropped as {reason!r}", where=str(dataset), cause=f"Reasons: {known}."
            )
        found = pl.concat([found, more]).unique("id", maintain_order=True)
    unread = found.filter(pl.col("step").is_in(_UNREAD))
    if unread.height:
        first = unread.row(0, named=True)
        raise UsageError(
            "a row that could not be read cannot be kept",
            where=f"{first['source']}:{first['row']}",
            cause=f"{first['reason']}: {first['detail']}.",
            cure="Mend it in its source.",
        )
    return _write(workspace, dataset, found["id"].to_list(), "keep", why)


def decide_to_drop(workspace: Workspace, dataset: Path, rows: Sequence[str], why: str) -> Told:
    """Write down that kept rows are to be dropped. Arguments and errors as `decide_to_keep`."""
    _refuse_augmented(dataset)
    meta = pl.col("meta").struct
    parts = [
        pl.scan_parquet(path, glob=False)
        .select("id", meta.field("source"), meta.field("row"))
        .collect()
        for path in (dataset / f"{split}.parquet" for split in SPLITS)
        if path.is_file()
    ]
    found = _named(pl.concat(parts), rows, dataset, "is not in the dataset")
    return _write(workspace, dataset, found["id"].to_list(), "drop", why)


def decide_to_edit(
    workspace: Workspace, dataset: Path, row: str, place: str, text: str, why: str
) -> Told:
    """Write down that a text of a row is another from now on.

    Args:
        workspace: where the recipe is.
        dataset: the directory of a published dataset.
        row: id or `file:row`, kept or dropped.
        place: which text, as `curate.edits` calls it: `messages.1`.
        text: the new one.
        why: kept with the decision.

    Raises:
        UsageError: there is no such row or text, or its images would be others.
    """
    from curate.edits import keeps_images

    _refuse_augmented(dataset)
    found, texts = _texts(dataset, row)
    if place not in texts:
        raise UsageError(
            "this row has no such text", where=f"{row}: {place}",
            cause=f"Its texts: {', '.join(texts) or 'none'}.",
        )  # fmt: skip
    if not keeps_images(texts[place], text):
        raise UsageError(
            "an edit must leave a text its images", where=f"{row}: {place}",
            cure="Keep each image's mark where it stands, or mend the row in its source.",
        )  # fmt: skip
    return _told(
        workspace, dataset, [Decision(id=found, decision="edit", texts={place: text}, why=why)]
    )


def take_back_edits(workspace: Workspace, dataset: Path, rows: Sequence[str]) -> Told:
    """Write down that rows have the texts of their sources again. Errors as `take_back`."""
    known = load_decisions(_file_of(workspace, dataset)[0])
    for row in rows:
        if row not in known.edit:
            raise UsageError("no text of this row was edited", where=row)
    return _told(workspace, dataset, [Decision(id=row, decision="unedited") for row in rows])


def _texts(dataset: Path, row: str) -> tuple[str, dict[str, str]]:
    """Return the id of a row, and its texts as they were read."""
    from curate.api.frames import completed
    from curate.edits import texts_of
    from curate.opening import of_dataset

    splits = tuple(name for name in SPLITS if (dataset / f"{name}.parquet").is_file())
    for part in (
        of_dataset(dataset, splits),
        pl.scan_parquet(dataset / "dropped.parquet", glob=False),
    ):
        frame, kind = completed(part)
        place = phrase("{}:{}", "source", "row")
        held = frame.filter((pl.col("id") == row) | (place == row)).head(1).collect()
        if held.height:
            found = held.row(0, named=True)
            return str(found["id"]), texts_of(found, kind)
    raise UsageError("this row is not in the dataset", where=row, cause=f"Looked for in {dataset}.")


def take_back(workspace: Workspace, dataset: Path, rows: Sequence[str]) -> Told:
    """Write down that nothing is decided about rows any more.

    Args:
        workspace: where the recipe is.
        dataset: the directory of a published dataset.
        rows: ids.

    Raises:
        UsageError: no row is named, or nothing was decided about one.
    """
    file, _ = _file_of(workspace, dataset)
    known = load_decisions(file)
    for row in rows:
        if known.of(row) == "undecided":
            raise UsageError("nothing is decided about this row", where=row, cause=f"See {file}.")
    return _write(workspace, dataset, list(rows), "undecided", "")


def decided_in(workspace: Workspace, dataset: Path) -> Decisions:
    """Return what was decided about rows of a dataset's recipe, applied yet or not.

    Raises:
        DataError: the file of decisions, or the dataset's recipe, cannot be read.
    """
    return load_decisions(_file_of(workspace, dataset)[0])


def _refuse_augmented(dataset: Path) -> None:
    if (dataset / "made.parquet").is_file():
        source = f"datasets/{dataset.parent.name}/current/train.parquet"
        raise UsageError(
            "no curation would apply this decision",
            where=str(dataset),
            cause="Rows that were made get ids of their own in the curation that reads them.",
            cure=f"Add {source} to `curate.sources`, curate, and decide in that dataset.",
        )


def _named(frame: pl.DataFrame, rows: Sequence[str], dataset: Path, absent: str) -> pl.DataFrame:
    place = phrase("{}:{}", "source", "row")
    found = frame.with_columns(place.alias("place")).filter(
        pl.col("id").is_in(list(rows)) | pl.col("place").is_in(list(rows))
    )
    known = {*found["id"], *found["place"]}
    missing = [row for row in rows if row not in known]
    if missing:
        raise UsageError(
            f"this row {absent}",
            where=missing[0],
            cause=f"Looked for in {dataset}.",
            cure="`temper curate explain` says what became of a row.",
        )
    return found.drop("place")


def _write(workspace: Workspace, dataset: Path, ids: list[str], verdict: Any, why: str) -> Told:
    if not ids:
        raise UsageError("no row is named", cure="Give ids, or FILE:ROW.")
    return _told(workspace, dataset, [Decision(id=row, decision=verdict, why=why) for row in ids])


def _told(workspace: Workspace, dataset: Path, decisions: list[Decision]) -> Told:
    file, name = _file_of(workspace, dataset)
    new = add_decisions(file, decisions)
    own = workspace.root / f"{name}.yaml"
    command = (
        f"temper curate {own.name}" if own.is_file() and own.name != RECIPE else "temper curate"
    )
    return Told(file, len(decisions), new, command)


def _file_of(workspace: Workspace, dataset: Path) -> tuple[Path, str]:
    """Return where decisions about a dataset's rows are kept, and the name of its recipe."""
    recipe = load_yaml(dataset / "recipe.yaml").data
    name = str(recipe.get("name"))
    given = (recipe.get("curate") or {}).get("decisions")
    return decisions_file(workspace.root, name, given), name
