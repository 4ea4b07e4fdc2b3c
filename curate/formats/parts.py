"""Normalised rows as Parquet parts on disk, so that a file larger than memory goes through."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
from pyarrow.parquet import write_table

from curate.formats.shape import Message
from curate.schema import PICTURE, TOOL_CALL

_TOOL_CALL = pa.struct(
    [
        ("id", pa.large_string()),
        ("type", pa.large_string()),
        ("function", pa.struct([("name", pa.large_string()), ("arguments", pa.large_string())])),
    ]
)
PICTURES = pa.large_list(
    pa.struct(
        [
            ("digest", pa.large_string()),
            ("sha256", pa.large_string()),
            ("name", pa.large_string()),
            ("offset", pa.int64()),
            ("size", pa.int64()),
        ]
    )
)
_TURN_FIELDS: list[tuple[str, Any]] = [
    ("role", pa.large_string()),
    ("content", pa.large_string()),
    ("tool_calls", pa.large_list(_TOOL_CALL)),
    ("name", pa.large_string()),
    ("tool_call_id", pa.large_string()),
]
_TURNS = pa.large_list(pa.struct(_TURN_FIELDS))
_PLACE = [
    ("raw_hash", pa.large_string()),
    ("source", pa.large_string()),
    ("row", pa.int64()),
    ("user_id", pa.large_string()),
]
ROWS = pa.schema(
    [
        *_PLACE,
        ("format", pa.large_string()),
        ("kind", pa.large_string()),
        ("messages", _TURNS),
        ("prompt", _TURNS),
        ("completion", _TURNS),
        ("chosen", _TURNS),
        ("rejected", _TURNS),
        ("label", pa.bool_()),
        ("answer", pa.large_string()),
        ("text", pa.large_string()),
        ("tools", pa.large_string()),
        ("user_label", pa.large_string()),
        ("topic", pa.large_string()),
        ("document", pa.large_string()),
        ("conversation", pa.large_string()),
        ("parents", pa.large_list(pa.large_string())),
        ("quality", pa.float64()),
        ("images", PICTURES),
    ]
)
QUARANTINE = pa.schema(
    [
        *_PLACE,
        ("step", pa.large_string()),
        ("reason", pa.large_string()),
        ("detail", pa.large_string()),
        ("raw", pa.large_string()),
    ]
)


_REPEATED = ["source", "format", "kind", "step", "reason", "messages.list.element.role"]
_POLARS: dict[Any, Any] = {
    pa.large_string(): pl.String,
    pa.int64(): pl.Int64,
    pa.bool_(): pl.Boolean,
    pa.float64(): pl.Float64,
    pa.large_list(pa.large_string()): pl.List(pl.String),
    pa.large_list(_TOOL_CALL): pl.List(TOOL_CALL),
    PICTURES: pl.List(PICTURE),
}


def _array(values: Sequence[Any], kind: Any) -> Any:
    """Build an Arrow array by way of polars: `pyarrow.array` would import pandas, for seconds."""
    array = pl.Series(values, dtype=_POLARS[kind]).to_arrow()
    return array if array.type == kind else array.cast(kind)


def _turns(column: Sequence[list[Message] | None]) -> Any:
    """Build a list column from flat arrays: faster than one nested object a row."""
    flat = [turn for turns in column if turns is not None for turn in turns]
    fields = [_array([turn.get(name) for turn in flat], kind) for name, kind in _TURN_FIELDS]
    lengths = pl.Series([0, *(len(turns) if turns else 0 for turns in column)], dtype=pl.Int64)
    values = pa.StructArray.from_arrays(fields, fields=list(_TURNS.value_type))
    return pa.LargeListArray.from_arrays(
        lengths.cum_sum().to_arrow(),
        values,
        type=_TURNS,
        mask=_array([turns is None for turns in column], pa.bool_()),
    )


def text_array(values: Sequence[str | None]) -> Any:
    """Return texts as an Arrow array."""
    return _array(values, pa.large_string())


def number_array(values: Sequence[int]) -> Any:
    """Return whole numbers as an Arrow array."""
    return _array(values, pa.int64())


def turn_pairs(prompts: Sequence[str], answers: Sequence[str]) -> Any:
    """Return conversations of one prompt and one answer each, as an Arrow array."""
    count = len(prompts)
    contents: list[str] = [""] * (2 * count)
    contents[::2], contents[1::2] = prompts, answers
    known = {
        "role": text_array(["user", "assistant"] * count),
        "content": text_array(contents),
    }
    fields = [
        known[name] if name in known else pa.nulls(2 * count, kind) for name, kind in _TURN_FIELDS
    ]
    values = pa.StructArray.from_arrays(fields, fields=list(_TURNS.value_type))
    offsets = pl.int_range(0, 2 * count + 1, 2, eager=True).to_arrow()
    return pa.LargeListArray.from_arrays(offsets, values, type=_TURNS)


class PartWriter:
    """Collects rows and writes them in parts, in their order."""

    def __init__(self, directory: Path, schema: pa.Schema, rows: int = 8192) -> None:
        """Write parts of up to `rows` rows, or 64 MB of text, below `directory`."""
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.schema = schema
        self.rows = rows
        self.count = 0
        self._waiting: list[dict[str, Any]] = []
        self._bytes = 0
        self._parts = 0

    def add(self, row: dict[str, Any], size: int) -> None:
        """Add a row whose text is about `size` bytes."""
        self._waiting.append(row)
        self._bytes += size
        self.count += 1
        if len(self._waiting) >= self.rows or self._bytes >= 64_000_000:
            self.flush()

    def add_table(self, table: pa.Table) -> None:
        """Write rows that are a table already, after what is waiting."""
        if self._waiting:
            self.flush()
        self.count += table.num_rows
        self._write(table)

    def flush(self) -> None:
        """Write what is waiting. An empty schema-only part keeps a scan of no rows valid."""
        if not self._waiting and self._parts:
            return
        columns = []
        for field in self.schema:
            values = [row.get(field.name) for row in self._waiting]
            columns.append(_turns(values) if field.type == _TURNS else _array(values, field.type))
        self._write(pa.Table.from_arrays(columns, schema=self.schema))
        self._waiting, self._bytes = [], 0

    def _write(self, table: pa.Table) -> None:
        # Read once and thrown away: packing would take longer than all else.
        write_table(
            table,
            self.directory / f"{self._parts:06d}.parquet",
            compression="none",
            use_dictionary=_REPEATED,
            write_statistics=False,
        )
        self._parts += 1
