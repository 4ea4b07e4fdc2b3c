"""Files → rows of one type."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from curate.api.frames import workspace_of
from curate.images_out import with_bytes
from curate.one_step import section_for
from curate.pipeline import curate_rows
from workspace.errors import UsageError

if TYPE_CHECKING:
    from curate.ledger import Ledger


@dataclass(frozen=True)
class Rows:
    """What `read` returns: rows of one type, and the account of those that did not fit."""

    frame: pl.LazyFrame
    type: str
    dropped: pl.DataFrame
    ledger: Ledger


def read(
    *paths: str | Path,
    type: str = "auto",
    columns: dict[str, str] | None = None,
    format: str = "auto",
    header: Sequence[str] = (),
    quotes: bool = True,
    encoding: str = "utf-8",
    max_quarantine: float = 0.01,
) -> Rows:
    """Read files of any known format into rows of one type.

    Args:
        paths: files and globs.
        type: the dataset type; `auto` takes what most rows are.
        columns: usual name → your column's name.
        format: of the files; `auto` tells it from each name.
        header: column names of tables whose first line is a record already.
        quotes: whether fields of tables may be quoted.
        encoding: of tables.
        max_quarantine: largest share of rows that may be unusable.

    Raises:
        UsageError: something else than paths is given, or a value that cannot be.
        DataError: a file cannot be used, or too many of its rows.
    """
    for path in paths:
        if not isinstance(path, str | Path):
            raise UsageError(
                "curate.read reads files",
                cause=f"It was given a {path.__class__.__name__}.",
                cure="A frame with the columns of a type goes into the steps as it is; one of "
                "another form is written first: frame.sink_parquet('rows.parquet').",
            )
    named = ",".join(f"{usual}={own}" for usual, own in (columns or {}).items())
    section = section_for(
        [str(path) for path in paths],
        named,
        format,
        table={"header": tuple(header), "quotes": quotes, "encoding": encoding},
        type=type,
        max_quarantine=max_quarantine,
    )
    work = Path(tempfile.mkdtemp(prefix="curate-"))
    # The frame is lazy: its rows stay on disk for as long as anything may collect them.
    atexit.register(shutil.rmtree, work, ignore_errors=True)
    curated = curate_rows(section, workspace_of(Path.cwd()), Path.cwd(), work)
    frame = curated.kept
    if curated.images is not None:
        frame = with_bytes(frame, curated.images, work / "with-images.parquet")
    return Rows(frame, curated.type, curated.dropped, curated.ledger)
