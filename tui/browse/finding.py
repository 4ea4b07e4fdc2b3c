"""Which rows, in which order: arrays of row numbers that stand in front of a table.

All of it works on the mapped indexes, and on the files themselves where the whole text counts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tui.browse.columns import COLUMNS, described, whole_text
from tui.browse.index import Check, _go_on, frames, unreadable
from workspace.errors import DataError, UsageError

if TYPE_CHECKING:
    from tui.browse.table import Table

Numbers = NDArray[np.int64]
SORTABLE = COLUMNS
_SHOWN = ", ".join((*COLUMNS[:11], "text"))


def scan(table: Table) -> pl.LazyFrame:
    """Return the columns of all indexes, one after the other.

    Raises:
        DataError: a file vanished.
    """
    try:
        files = table.index_files
    except OSError as error:
        raise DataError(
            "a file of these rows is gone", where=str(error.filename or ""), cure="Open it anew."
        ) from error
    return pl.concat([pl.scan_ipc(file, glob=False) for file in files])


def _collected(table: Table, frame: pl.LazyFrame) -> pl.DataFrame:
    try:
        return frame.collect()
    except (OSError, pl.exceptions.PolarsError) as error:
        raise unreadable(table.opened.path, error) from error


def sorted_numbers(table: Table, column: str, *, descending: bool) -> Numbers:
    """Return all rows in the order of a column; rows without a value come last."""
    frame = _collected(table, scan(table).select(pl.col(column)).with_row_index("number"))
    ordered = frame.sort(column, descending=descending, nulls_last=True, maintain_order=True)
    return ordered["number"].to_numpy().astype(np.int64)


def expression(text: str) -> pl.Expr:
    """Return a filter as polars understands it: an expression of SQL over the columns of a row.

    Raises:
        UsageError: it is none, or names a column that is not there.
    """
    try:
        found = pl.sql_expr(text)
        names = set(found.meta.root_names())
    except BaseException as error:  # polars panics at some texts, and a panic is no Exception
        if isinstance(error, (KeyboardInterrupt, SystemExit)):
            raise
        raise UsageError("this filter cannot be read", cause=_first_line(error)) from None
    unknown = sorted(names - {*COLUMNS, "text"})
    if unknown:
        raise UsageError(f"there is no column {unknown[0]!r}", cause=f"There is: {_SHOWN}.")
    return found


def filtered_mask(
    table: Table, text: str, tell: Callable[[int], None], check: Check = _go_on
) -> NDArray[np.bool_]:
    """Return for each row whether it fits a filter.

    Args:
        table: the rows.
        text: an expression of SQL, for example `tokens > 512 AND label = 'billing'`.
        tell: told how many rows were looked at, where whole texts must be read.
        check: called now and then; what it raises ends the work.

    Raises:
        UsageError: the filter cannot be used.
        DataError: the rows cannot be read.
    """
    condition = expression(text)
    if "text" in condition.meta.root_names():
        return _masks(table, lambda frame: _condition(frame, condition), tell, check)
    return _condition(scan(table), condition)


def _condition(frame: pl.LazyFrame, condition: pl.Expr) -> NDArray[np.bool_]:
    try:
        found = frame.select(condition.alias("fits")).collect()["fits"]
    except BaseException as error:
        if isinstance(error, (KeyboardInterrupt, SystemExit)):
            raise
        raise UsageError("this filter cannot be used", cause=_first_line(error)) from None
    if found.dtype != pl.Boolean:
        raise UsageError(
            "this filter gives no yes or no",
            cause=f"It gives {found.dtype}.",
            cure="Compare it with something: tokens > 512.",
        )
    rows = frame.select(pl.len()).collect().item()
    if len(found) != rows:
        raise UsageError(
            "this filter says nothing of single rows", cause=f"It gives {len(found):,} values."
        )
    return np.asarray(found.fill_null(False).to_numpy(), dtype=np.bool_)


def searched_mask(
    table: Table, text: str, tell: Callable[[int], None], check: Check = _go_on
) -> NDArray[np.bool_]:
    """Return for each row whether it says a text; case counts where the text has upper case.

    Raises:
        DataError: the rows cannot be read.
    """
    if text == text.lower():
        found = pl.col("text").str.to_lowercase().str.contains(text, literal=True)
        if text.isascii():
            found = pl.col("text").str.contains_any([text], ascii_case_insensitive=True)
    else:
        found = pl.col("text").str.contains(text, literal=True)

    def mask(frame: pl.LazyFrame) -> NDArray[np.bool_]:
        held = frame.select(found.fill_null(False).alias("fits")).collect()["fits"]
        return np.asarray(held.to_numpy(), dtype=np.bool_)

    return _masks(table, mask, tell, check)


def _masks(
    table: Table,
    mask: Callable[[pl.LazyFrame], NDArray[np.bool_]],
    tell: Callable[[int], None],
    check: Check,
) -> NDArray[np.bool_]:
    """Read the files themselves, a few thousand rows at a time."""
    masks: list[Any] = []
    done = 0
    for part in table.opened.parts:
        try:
            for frame, _ in frames(part.path):
                check()
                columns = described(frame.schema, part.split)
                masks.append(
                    mask(frame.lazy().select(*columns, whole_text(frame.schema).alias("text")))
                )
                done += frame.height
                tell(done)
        except (OSError, pl.exceptions.PolarsError) as error:
            raise unreadable(part.path, error) from error
    found = np.concatenate(masks) if masks else np.zeros(0, dtype=np.bool_)
    if found.size != table.count:
        raise DataError(
            "these rows are others than when they were opened",
            where=str(table.opened.path),
            cure="Open it anew.",
        )
    return np.asarray(found, dtype=np.bool_)


def numbers_of(table: Table, wanted: str) -> Numbers:
    """Return the rows that have this id, or one that begins so."""
    begins = pl.col("id").str.starts_with(wanted).fill_null(False)
    held = _collected(table, scan(table).select(begins.alias("fits")))["fits"]
    return np.flatnonzero(held.to_numpy()).astype(np.int64)


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{(lines or [type(error).__name__])[0][:200].rstrip('.')}."


__all__ = [
    "SORTABLE", "Numbers", "expression", "filtered_mask", "numbers_of", "scan", "searched_mask",
    "sorted_numbers",
]  # fmt: skip
