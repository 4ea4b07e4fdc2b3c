"""What became of rows, what people decide about them, and what two datasets differ in."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from curate.comparing import Difference, compare
from curate.explaining import Story, dropped_stories, find_row
from curate.one_step import curated_rows, section_for
from curate.published import dataset_here
from curate.restoring import Told, decide_to_drop, decide_to_edit, decide_to_keep, take_back
from workspace.layout import Workspace

Dataset = str | Path


def stats(
    *paths: str | Path,
    columns: dict[str, str] | None = None,
    format: str = "auto",
    header: Sequence[str] = (),
    quotes: bool = True,
    encoding: str = "utf-8",
) -> dict[str, Any]:
    """Say what is in files: formats and by which columns, lengths, rows that cannot be used.

    Arguments as of `read`. The result is the document of `temper curate stats --json`.

    Raises:
        UsageError: a value that cannot be.
        DataError: a file cannot be used.
    """
    from curate.statistics import describe

    named = ",".join(f"{usual}={own}" for usual, own in (columns or {}).items())
    table = {"header": tuple(header), "quotes": quotes, "encoding": encoding}
    section = section_for([str(path) for path in paths], named, format, table, max_quarantine=1.0)
    with curated_rows(section) as curated:
        return describe(curated)


def explain(row: str, *, dataset: Dataset | None = None) -> dict[str, Any]:
    """Return the whole path of one row: each step with value against threshold, and its partner.

    Args:
        row: its id, the beginning of it, or `FILE:ROW`.
        dataset: name or path; None: the one of the recipe here.

    Raises:
        UsageError: no such row was read, or it may be several.
    """
    return find_row(dataset_here(dataset)[1], row)


def dropped(
    *, dataset: Dataset | None = None, reason: str | None = None, rows: int = 20
) -> list[Story]:
    """Return rows that were dropped, each with its reason and the row it repeats.

    Args:
        dataset: as of `explain`.
        reason: of these alone.
        rows: how many at most; `dropped.parquet` in the dataset has them all.

    Raises:
        UsageError: no row was dropped for this reason.
    """
    return dropped_stories(dataset_here(dataset)[1], reason, rows)[1]


def restore(
    *rows: str, dataset: Dataset | None = None, reason: str | None = None, why: str = ""
) -> Told:
    """Write down that dropped rows are to be kept; the next `run` applies it.

    Args:
        rows: ids or `FILE:ROW`.
        dataset: as of `explain`.
        reason: further, every row dropped for this reason.
        why: kept with each decision.

    Raises:
        UsageError: no row is named, or one was not dropped or could not be read at all.
    """
    return decide_to_keep(*dataset_here(dataset), rows, reason, why)


def drop(*rows: str, dataset: Dataset | None = None, why: str = "") -> Told:
    """Write down that kept rows are to be dropped. Arguments and errors as of `restore`."""
    return decide_to_drop(*dataset_here(dataset), rows, why)


def edit(row: str, place: str, text: str, *, dataset: Dataset | None = None, why: str = "") -> Told:
    """Write a text of a row anew; the next `run` sets it before its first step.

    Args:
        row: its id or `FILE:ROW`.
        place: which text: `messages.1`, `chosen.0`, `text`.
        text: what it is from now on.
        dataset: as of `explain`.
        why: kept with the decision.

    Raises:
        UsageError: no such row was read, or it has no such text.
    """
    return decide_to_edit(*dataset_here(dataset), row, place, text, why)


def undecide(*rows: str, dataset: Dataset | None = None) -> Told:
    """Take decisions about rows back.

    Raises:
        UsageError: no row is named, or nothing was decided about one.
    """
    return take_back(*dataset_here(dataset), rows)


def diff(before: Dataset, after: Dataset) -> Difference:
    """Compare two datasets: rows that came, went, changed or moved and why, and their settings.

    Args:
        before: name or path.
        after: another, or a later version of it.

    Raises:
        DataError: one of them is no dataset.
    """
    workspace = Workspace.find()
    return compare(workspace.dataset(str(before)), workspace.dataset(str(after)))
