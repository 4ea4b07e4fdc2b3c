"""Parquet: batches of records, nested values as they are."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any, BinaryIO

import orjson

from curate.formats.files import SourceFile
from curate.formats.raw import RawRow
from curate.formats.shape import is_null
from workspace.errors import DataError

_BATCH = 4096


def read_parquet(stream: BinaryIO, file: SourceFile) -> Iterator[RawRow]:
    """Yield the records of a Parquet file.

    Raises:
        DataError: not Parquet, or damaged.
    """
    import pyarrow
    from pyarrow.parquet import ParquetFile

    number = 0
    try:
        on_disk = isinstance(getattr(stream, "raw", None), io.FileIO) and stream.seekable()
        source = stream if on_disk else io.BytesIO(stream.read())
        parquet = ParquetFile(source)
        floats = [
            field.name for field in parquet.schema_arrow if pyarrow.types.is_floating(field.type)
        ]
        for batch in parquet.iter_batches(_BATCH):
            for value in batch.to_pylist():
                number += 1
                # pandas writes NaN where a column of numbers has no value.
                value.update({name: None for name in floats if is_null(value[name])})
                yield RawRow(number, value, _raw(value))
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(
            "this file is not Parquet, or it is damaged",
            where=f"{file.name}:{number + 1}" if number else file.name,
            cause=f"{str(error).splitlines()[0].rstrip('.')}.",
            cure="Write it again; its first and last four bytes must be PAR1.",
        ) from error


def _raw(value: dict[str, Any]) -> bytes:
    options = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY
    return orjson.dumps(value, default=_as_text, option=options)


def _as_text(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
