"""Rows of a file, a glob or a dataset directory, opened to be looked at and not changed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from curate.steps.base import StepContext
from workspace.layout import Workspace

if TYPE_CHECKING:
    from curate.pipeline import Reporter

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Opened:
    """Rows on disk, `_row` counting 0, 1, 2 …"""

    frame: pl.LazyFrame
    context: StepContext
    unusable: int
    """Rows of the files that could not be read or used."""


def dataset_directory(data: str) -> Path | None:
    """Return the directory of a dataset given by path or name; None for files and globs."""
    path = Path(data)
    if path.is_file() or data == "-" or any(letter in data for letter in "*?["):
        return None
    if (path / "train.parquet").is_file():
        return path
    if path.is_dir() or path.suffix or path.parent != Path():
        inner = path / "current" / "train.parquet"
        return inner.parent if inner.is_file() else None
    workspace = Workspace.find()
    return workspace.dataset(data) if (workspace.datasets / data).exists() else None


@contextmanager
def opened(
    data: str,
    *,
    columns: str = "",
    file_format: str = "auto",
    splits: tuple[str, ...] = SPLITS,
    report: Reporter | None = None,
) -> Iterator[Opened]:
    """Yield the rows of a dataset (with the sources they came from) or of files.

    Args:
        data: a dataset's directory or name, a file, a glob, or `-`.
        columns: for files, `usual=own` pairs with commas between.
        file_format: of files; `auto` tells it from each name.
        splits: which splits of a dataset.
        report: told what happens.

    Raises:
        DataError: nothing is there, or nothing in it can be used.
    """
    from curate.curating import work_directory
    from curate.one_step import curated_rows, section_for

    directory = dataset_directory(data)
    if directory is not None:
        with work_directory(_temporary()) as work:
            yield _opened(of_dataset(directory, splits), work, 0, report)
        return
    section = section_for([data], columns, file_format, max_quarantine=1.0)
    with curated_rows(section, report) as curated, work_directory(_temporary()) as work:
        yield _opened(curated.kept, work, curated.dropped.height, report)


def _temporary() -> Path:
    import tempfile

    return Path(tempfile.gettempdir())


def of_dataset(directory: Path, splits: tuple[str, ...]) -> pl.LazyFrame:
    """Return the rows of a published dataset, their marks as columns of their own."""
    from curate.schema import CANARY, META

    files = [path for name in splits if (path := directory / f"{name}.parquet").is_file()]
    frame = pl.concat([pl.scan_parquet(file, glob=False) for file in files])
    schema = frame.collect_schema()
    meta = schema.get("meta")
    known = {field.name for field in meta.fields} if isinstance(meta, pl.Struct) else set()
    names = {"label": "user_label"}
    marks = [
        pl.col("meta").struct.field(name).alias(names.get(name, name))
        for name in (*(field.name for field in META.fields), CANARY)
        if name in known and names.get(name, name) not in schema
    ]
    return frame.with_columns(marks).drop("meta", strict=False)


def _opened(frame: pl.LazyFrame, work: Path, unusable: int, report: Reporter | None) -> Opened:
    """Write the rows to one file, so that slices of them cost no more than reading."""
    from curate.api.frames import completed

    whole, kind = completed(frame)
    path = work / "opened.parquet"
    whole.sink_parquet(path, compression="lz4")
    base = pl.scan_parquet(path, glob=False)
    here = Path.cwd()
    context = StepContext(base, kind, Workspace.find(here), here)
    if report is not None:
        context.tell, context.advance = report.tell, report.advance
        context.check_stop = report.check_stop
    return Opened(base, context, unusable)
