"""The index of a Parquet file of rows: what a table shows of each, uncompressed and memory-mapped.

A million rows are about 200 MB that are never read into memory as a whole: the pages that a table
shows are. It is made once for a file, a few thousand rows at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tui.browse.keeping import kept_name, make_room, own_directory, touch
from tui.browse.opening import Opened, Part, Tell
from workspace.errors import DataError
from workspace.files import atomic_path

_BATCH = 16_384
Check = Callable[[], None]


def _go_on() -> None:
    """Let the work go on."""


def open_index(opened: Opened, cache: Path, tell: Tell, check: Check = _go_on) -> list[list[Any]]:
    """Return the record batches of each part's index, made where they are not there yet.

    Args:
        opened: whose rows.
        cache: the directory of indexes.
        tell: told how many rows are done.
        check: called now and then; what it raises ends the work.

    Raises:
        DataError: a file cannot be read.
    """
    return [_part_index(part, cache, tell, check) for part in opened.parts]


def index_path(part: Part, cache: Path) -> Path:
    """Return where the index of a part is kept."""
    return cache / f"{kept_name(part.path)}.arrow"


def _part_index(part: Part, cache: Path, tell: Tell, check: Check) -> list[Any]:
    import pyarrow as pa

    try:
        kept = index_path(part, cache)
        if kept.is_file():
            try:
                found = _mapped(kept)
                touch(kept)
                return found
            except pa.ArrowInvalid:
                kept.unlink(missing_ok=True)  # damaged: made anew
        _make(part, kept, tell, check)
        make_room(cache, spare=kept.stem)
        return _mapped(kept)
    except (OSError, pa.ArrowException) as error:
        raise unreadable(part.path, error) from error


def unreadable(path: Path, error: BaseException) -> DataError:
    """Return what to say of a file that cannot be read."""
    if not path.exists():
        return DataError("this file is gone", where=str(path), cure="Make it again, or go back.")
    first = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return DataError(
        "these rows cannot be read",
        where=str(path),
        cause=f"{first[:300].rstrip('.')}.",
        cure="The file may be half written, damaged or from a newer version.",
    )


def _mapped(path: Path) -> list[Any]:
    import pyarrow as pa

    reader = pa.ipc.open_file(pa.memory_map(str(path)))
    return [reader.get_batch(place) for place in range(reader.num_record_batches)]


def _make(part: Part, path: Path, tell: Tell, check: Check) -> None:
    import pyarrow as pa

    from tui.browse.columns import described

    own_directory(path.parent)
    done = 0
    with atomic_path(path, private=True) as temporary:
        writer: Any = None
        try:
            for frame, total in frames(part.path):
                check()
                table = frame.select(described(frame.schema, part.split)).to_arrow(
                    compat_level=_plain_strings()
                )
                writer = writer or pa.ipc.new_file(str(temporary), table.schema)
                writer.write_table(table, max_chunksize=_BATCH)
                done += frame.height
                tell("indexing", done, total)
        finally:
            if writer is not None:
                writer.close()


def frames(path: Path) -> Iterator[tuple[Any, int]]:
    """Yield the rows of a Parquet file a few thousand at a time, with how many there are.

    A file without rows yields one frame without rows.
    """
    import polars as pl
    import pyarrow.parquet as pq

    from tui.browse.columns import read_columns

    with pq.ParquetFile(path, memory_map=True) as file:
        schema = pl.scan_parquet(path, glob=False).collect_schema()
        wanted = read_columns(schema)
        total = file.metadata.num_rows
        empty = True
        for batch in file.iter_batches(batch_size=_BATCH, columns=wanted):
            empty = False
            yield pl.DataFrame(pl.from_arrow(batch)), total
        if empty:
            yield pl.DataFrame(schema={name: schema[name] for name in wanted}), 0


def _plain_strings() -> Any:
    import polars as pl

    return pl.CompatLevel.oldest()
