"""Parquet: batches of records, nested values as JSON knows them."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import BinaryIO

from curate.formats.files import SourceFile
from curate.formats.raw import RawRow
from workspace.errors import DataError

_BATCH = 4096
_BATCH_BYTES = 32_000_000


def read_parquet(stream: BinaryIO, file: SourceFile) -> Iterator[RawRow]:
    """Yield the records of a Parquet file, whose values become those of `arrow_values`.

    Raises:
        DataError: not Parquet, or damaged.
    """
    import pyarrow
    from pyarrow.parquet import ParquetFile

    from curate.formats.arrow_values import RowReader

    done = 0
    try:
        on_disk = isinstance(getattr(stream, "raw", None), io.FileIO) and stream.seekable()
        # Rows of images are large: pages are read as they are needed, not a whole row group.
        parquet = ParquetFile(stream if on_disk else io.BytesIO(stream.read()), pre_buffer=False)
        reader = RowReader(parquet.schema_arrow, file.features)
        for batch in parquet.iter_batches(_rows_at_once(parquet.metadata)):
            for row in reader.rows(batch):
                done = row.place
                yield row
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(
            "this file is not Parquet, or it is damaged",
            where=f"{file.name}:{done + 1}" if done else file.name,
            cause=f"{str(error).splitlines()[0].rstrip('.')}.",
            cure="Write it again; its first and last four bytes must be PAR1.",
        ) from error


def _rows_at_once(metadata: object) -> int:
    """Return how many rows of the largest row group are some 32 MB."""
    groups = [metadata.row_group(place) for place in range(metadata.num_row_groups)]  # type: ignore[attr-defined]
    each = max((group.total_byte_size / max(group.num_rows, 1) for group in groups), default=0)
    return int(max(1, min(_BATCH, _BATCH_BYTES / max(each, 1))))
