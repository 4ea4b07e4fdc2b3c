"""Normalised rows in parts: on disk if they are many, so that a file larger than memory fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

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
        ("canary", pa.large_string()),
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


_TURN = {name: _POLARS[kind] for name, kind in _TURN_FIELDS}
_POLARS[_TURNS] = pl.List(pl.Struct(_TURN))
FRAME = {field.name: _POLARS[field.type] for field in ROWS}
"""`ROWS` as polars has it."""


def turn_pairs(prompts: pl.Series, answers: pl.Series) -> pl.Series:
    """Return conversations of one prompt and one answer each."""
    count = len(prompts)
    # One after the other in a flat frame: `concat_list` of structs takes forty times as long.
    order = np.arange(2 * count, dtype=np.uint32).reshape(2, count).T.ravel()
    speaker = np.tile(np.arange(2, dtype=np.uint32), count)
    known = {
        "role": pl.Series(["user", "assistant"]).gather(speaker),
        "content": pl.concat([prompts.rechunk(), answers.rechunk()]).gather(order),
    }
    flat = pl.DataFrame(known).select(
        (pl.col(name) if name in known else pl.lit(None, kind)).alias(name)
        for name, kind in _TURN.items()
    )
    return flat.to_struct().reshape((count, 2)).arr.to_list()


class PartWriter:
    """Collects rows in their order: in memory while they are few, in parts on disk if not."""

    def __init__(
        self, directory: Path, schema: pa.Schema, rows: int = 8192, held_bytes: int = 256_000_000
    ) -> None:
        """Make parts of up to `rows` rows, or 64 MB of text.

        Args:
            directory: where parts go once they have more than `held_bytes` in all.
            schema: of the rows.
            rows: of a part.
            held_bytes: what may stay in memory.
        """
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.schema = schema
        self.rows = rows
        self.held_bytes = held_bytes
        self.count = 0
        self._waiting: list[dict[str, Any]] = []
        self._bytes = 0
        self._held: list[pl.DataFrame] = []
        self._size = 0
        self._parts = 0

    def add(self, row: dict[str, Any], size: int) -> None:
        """Add a row whose text is about `size` bytes."""
        self._waiting.append(row)
        self._bytes += size
        self.count += 1
        if len(self._waiting) >= self.rows or self._bytes >= 64_000_000:
            self._flush()

    def add_table(self, table: pl.DataFrame) -> None:
        """Add rows that are a table already, after what is waiting."""
        if self._waiting:
            self._flush()
        self.count += table.height
        self._keep(table)

    def parts(self) -> Parts:
        """Return all rows added; none are added afterwards."""
        if self._waiting or not (self._held or self._parts):
            self._flush()  # a part without rows keeps a scan of none valid
        return Parts(self.directory, tuple(self._held))

    def _flush(self) -> None:
        columns = []
        for field in self.schema:
            values = [row.get(field.name) for row in self._waiting]
            columns.append(_turns(values) if field.type == _TURNS else _array(values, field.type))
        self._waiting, self._bytes = [], 0
        self._keep(pl.DataFrame(pa.Table.from_arrays(columns, schema=self.schema)))

    def _keep(self, table: pl.DataFrame) -> None:
        self._size += int(table.estimated_size())
        self._held.append(table)
        if self._size > self.held_bytes:
            for part in self._held:
                self._write(part)
            self._held = []

    def _write(self, table: pl.DataFrame) -> None:
        # Read once and thrown away: packing would take longer than all else.
        path = self.directory / f"{self._parts:06d}.parquet"
        table.write_parquet(path, compression="uncompressed", statistics=False)
        self._parts += 1


@dataclass(frozen=True)
class Parts:
    """Rows that were collected, in their order."""

    directory: Path
    """Where they are as Parquet files, if they are not held."""
    held: tuple[pl.DataFrame, ...] = ()

    def scan(self) -> pl.LazyFrame:
        """Return the rows as one frame."""
        if self.held:
            return pl.concat(self.held, rechunk=False).lazy()
        # polars would read a `[` or `*` in the directory's own path as a pattern.
        return pl.scan_parquet(sorted(self.directory.glob("*.parquet")), glob=False)
