"""Lazy rows to a Parquet file, in a way that can be stopped."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, Literal
from uuid import uuid4

from evalsuite.similarity.tokens import BLOCK_ROWS

if TYPE_CHECKING:
    import polars as pl

_WAIT_SECONDS = 0.1
_GRACE_SECONDS = 1.0
"""How long a write that was given up may take to end, so that nothing is removed under it."""


def sink(
    frame: pl.LazyFrame,
    path: Path,
    compression: Literal["none", "zstd"] = "none",
    check: Callable[[], None] = lambda: None,
) -> None:
    """Write rows to a file.

    polars writes in a thread of its own, for no signal is seen while it holds this one. Its own
    background queries are no way out: one that is given up panics when it is done (polars 2.1).

    The file appears under its name when it is whole: a query that failed may still have a task
    that opens and closes its file after the error was raised, over what is there by then.

    Args:
        frame: the rows.
        path: the file; what was there is replaced.
        compression: of the file. One without is for this run alone: it is read in blocks of
            `BLOCK_ROWS` rows, each from a place of its own in the file.
        check: called several times a second; what it raises ends the wait, and is raised.
    """
    # A row group is held in memory, and several at once are while they are packed.
    how: dict[str, Any] = {"compression": "zstd", "row_group_size": BLOCK_ROWS}
    if compression == "none":
        how |= {"compression": "uncompressed", "statistics": False}
    failed: list[BaseException] = []
    temporary = path.with_name(f"{path.name}.tmp-{uuid4().hex[:8]}")

    def write() -> None:
        try:
            frame.sink_parquet(temporary, **how)
        except BaseException as error:  # raised again in the thread that waits
            failed.append(error)

    thread = Thread(target=write, name="sink", daemon=True)
    thread.start()
    try:
        while thread.is_alive():
            thread.join(_WAIT_SECONDS)
            check()
    except BaseException:
        thread.join(_GRACE_SECONDS)
        raise
    if failed:
        temporary.unlink(missing_ok=True)
        raise failed[0]
    temporary.replace(path)
