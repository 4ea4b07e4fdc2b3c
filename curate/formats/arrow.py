"""Arrow and Feather: record batches as they lie in memory, in a file or a stream."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any, BinaryIO

from curate.formats.files import SourceFile
from curate.formats.raw import RawRow
from workspace.errors import DataError

_FILE, _OLD_FEATHER = b"ARROW1", b"FEA1"
_END = b"\xff\xff\xff\xff\x00\x00\x00\x00"


def read_arrow(stream: BinaryIO, file: SourceFile) -> Iterator[RawRow]:
    """Yield the records of an Arrow file or stream, whose values become those of `arrow_values`.

    Raises:
        DataError: not Arrow, damaged, or a stream without its end mark, which was cut short.
    """
    import pyarrow

    from curate.formats.arrow_values import RowReader

    done = 0
    try:
        batches = _batches(stream, file)
        reader: RowReader | None = None
        for batch in batches:
            reader = reader or RowReader(batch.schema, file.features)
            for row in reader.rows(batch):
                done = row.place
                yield row
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(
            "this file is not Arrow, or it is damaged",
            where=f"{file.name}:{done + 1}" if done else file.name,
            cause=f"{done:,} records could be read before: {_first_line(error)}.",
            cure="Copy it again, or write it again; nothing was written.",
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")


def _batches(stream: BinaryIO, file: SourceFile) -> Iterator[Any]:
    import pyarrow as pa

    on_disk = isinstance(getattr(stream, "raw", None), io.FileIO) and stream.seekable()
    head = stream.peek(8)[:8] if isinstance(stream, io.BufferedReader) else b""
    if head.startswith(_OLD_FEATHER):
        raise DataError(
            "this is a Feather file of version 1",
            where=file.name,
            cause="Arrow itself reads it no longer.",
            cure="Write it again with pyarrow.feather.write_feather, or as Parquet.",
        )
    # The file is mapped, not read: a batch may be larger than memory.
    source = pa.memory_map(str(file.path)) if on_disk else pa.BufferReader(stream.read())
    with source:
        if head.startswith(_FILE):
            opened = pa.ipc.open_file(source)
            for place in range(opened.num_record_batches):
                yield opened.get_batch(place)
            return
        yield from pa.ipc.open_stream(source)
        source.seek(max(0, source.size() - len(_END)))
        if source.read() != _END:
            raise OSError("the stream has no end mark, so rows after these may be missing")
