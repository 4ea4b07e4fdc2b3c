"""Some rows of a Parquet file, without the others in memory."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

_BATCH_ROWS = 1_024


def rows_at(
    file: Path, places: Sequence[int], columns: Sequence[str] | None = None
) -> Iterator[Any]:
    """Yield pyarrow record batches of the rows at these places, in their order.

    A table of all rows would take the memory of all, and `take` of one whose texts exceed 2 GiB
    fails in pyarrow (offset overflow while concatenating arrays).

    Args:
        file: what to read.
        places: ascending numbers of rows, from 0.
        columns: names, those of struct fields with a dot; without, all.

    Raises:
        pyarrow.ArrowException: the file is not Parquet or damaged.
        OSError: it cannot be read.
    """
    import pyarrow
    import pyarrow.parquet

    begin = 0
    with pyarrow.parquet.ParquetFile(file) as opened:
        names = None if columns is None else list(columns)
        for batch in opened.iter_batches(_BATCH_ROWS, columns=names):
            if not places or begin > places[-1]:
                return
            end = begin + batch.num_rows
            here = places[bisect_left(places, begin) : bisect_left(places, end)]
            if here:
                yield batch.take(pyarrow.array([place - begin for place in here]))
            begin = end
