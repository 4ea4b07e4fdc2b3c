"""Rows as JSON Lines that say nothing where there is no value: every row has its own keys."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, BinaryIO

import orjson
import polars as pl


def write_lines(rows: pl.DataFrame, stream: BinaryIO) -> None:
    """Write one object a row, without the keys whose value is null, at any depth.

    Where a column has a value in every row or in none, as in most datasets, all rows are written
    at once; otherwise one by one, a row having keys that its neighbour has not.
    """
    if not rows.height:
        return
    filled = _filled(rows)
    if filled is not None:
        filled.write_ndjson(stream)
        return
    write_objects(rows.iter_rows(named=True), stream)


def write_objects(rows: Iterable[dict[str, Any]], stream: BinaryIO) -> None:
    """Write one object a row, without the keys whose value is null, at any depth."""
    for row in rows:
        stream.write(orjson.dumps(_without_nulls(row), option=orjson.OPT_APPEND_NEWLINE))


class _Mixed(Exception):
    """Some values of a column are null and others are not."""


def _filled(rows: pl.DataFrame) -> pl.DataFrame | None:
    """Return the rows without the columns and fields that are null in all of them."""
    try:
        columns = [_column(column) for column in rows.iter_columns()]
    except _Mixed:
        return None
    return pl.DataFrame([column for column in columns if column is not None])


def _column(values: pl.Series) -> pl.Series | None:
    nulls = values.null_count()
    if nulls == len(values):
        return None
    if nulls:
        raise _Mixed
    if isinstance(values.dtype, pl.List):
        inside = values.filter(values.list.len() > 0).explode()
        if len(inside) and _changes(inside):
            raise _Mixed
        return values
    if isinstance(values.dtype, pl.Struct):
        fields = [_column(field) for field in values.struct.unnest().iter_columns()]
        kept = [field for field in fields if field is not None]
        if len(kept) == len(fields):
            return values
        if not kept:
            raise _Mixed
        return pl.DataFrame(kept).to_struct(values.name)
    return values


def _changes(values: pl.Series) -> bool:
    """Return whether something would have to be left out of these values."""
    if values.null_count():
        return True
    if isinstance(values.dtype, pl.List):
        inside = values.filter(values.list.len() > 0).explode()
        return bool(len(inside)) and _changes(inside)
    if isinstance(values.dtype, pl.Struct):
        return any(_changes(field) for field in values.struct.unnest().iter_columns())
    return False


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value
