"""`samples.parquet`: one row per item and model."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from evalsuite.engine.questions import Sample
from workspace.errors import DataError

_TYPES = {"str": pa.string(), "float": pa.float64(), "int": pa.int64(), "bool": pa.bool_()}
ROW_GROUP = 4_096
"""Rows that are compressed together: whoever reads one answer decodes so many, not all."""
SCHEMA = pa.schema([(field.name, _TYPES[str(field.type)]) for field in fields(Sample)])


def write_samples(path: Path, samples: Iterable[Sample]) -> None:
    """Write samples, in order; the directory they are in is published as a whole."""
    columns: dict[str, list[Any]] = {name: [] for name in SCHEMA.names}
    for sample in samples:
        for name, values in columns.items():
            values.append(getattr(sample, name))
    table = pa.table(columns, schema=SCHEMA)
    pq.write_table(table, path, compression="zstd", row_group_size=ROW_GROUP)


def read_samples(path: Path) -> list[Sample]:
    """Return the samples of a file, in order.

    Raises:
        DataError: it is missing or damaged.
    """
    try:
        table = pq.read_table(path, schema=SCHEMA)
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(
            "the samples of this evaluation cannot be read",
            where=str(path),
            cause=f"{str(error).splitlines()[0].rstrip('.')}.",
            cure="Evaluate again: answers that are kept are not asked for again.",
        ) from error
    # Column by column: a dictionary for each row took three times as long.
    columns = [table[name].to_pylist() for name in SCHEMA.names]
    return [Sample(*values) for values in zip(*columns, strict=True)]
