"""Lazy rows to a Parquet file, in a way that can be stopped."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import polars as pl

_FIRST_WAIT, _LONGEST_WAIT = 0.002, 0.1


def sink(
    frame: pl.LazyFrame,
    path: Path,
    compression: Literal["lz4", "zstd"] = "lz4",
    check: Callable[[], None] = lambda: None,
) -> None:
    """Write rows to a file.

    polars works in threads of its own meanwhile, for no signal is seen while it holds this one.

    Args:
        frame: the rows.
        path: the file; what was there is replaced.
        compression: of the file.
        check: called several times a second; what it raises ends the work, and is raised.
    """
    lazy = frame.sink_parquet(path, compression=compression, lazy=True)
    query = lazy.collect(background=True)
    wait = _FIRST_WAIT
    try:
        while query.fetch() is None:
            check()
            time.sleep(wait)
            wait = min(2 * wait, _LONGEST_WAIT)
    except BaseException:
        query.cancel()
        raise
