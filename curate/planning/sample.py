"""How many rows the sources have, and how large, told from their sizes and a few of their rows."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from io import BufferedReader
from pathlib import Path
from typing import Any

from curate.formats.files import STDIN, SourceFile, open_bytes, telling_damage
from curate.formats.read import files_of, records
from curate.recipe import Source

_ROWS = 200
_PLACES = 16
_PART = 1 << 16
_LEAST_BYTES = 1 << 20
"""A smaller file is measured by its first rows alone, if it is no table."""


@dataclass(frozen=True)
class Expected:
    """What the sources come to."""

    files: int
    size_bytes: int
    """On disk."""
    rows: int
    """About so many: exact for Parquet and for files that were read to their end."""
    text_bytes: int
    """Of all rows as JSON."""
    unknown: bool = False
    """Standard input is among the sources, or a dataset of the hub: their sizes are not known."""


def expected(sources: Sequence[Source], base_dir: Path) -> Expected:
    """Look at the sizes of the files and at some rows of each.

    Args:
        sources: as the recipe has them.
        base_dir: what relative paths are relative to.

    Raises:
        DataError: a file is missing, empty or damaged at its beginning.
    """
    known = [source for source in sources if source.path != STDIN and source.hub is None]
    size, rows, text = 0, 0.0, 0.0
    files = files_of(known, base_dir)
    for file, _ in files:
        here = file.path.stat().st_size
        count, row_bytes = _rows_of(file, here)
        size, rows, text = size + here, rows + count, text + count * row_bytes
    return Expected(len(files), size, round(rows), round(text), len(known) < len(sources))


def _rows_of(file: SourceFile, size: int) -> tuple[float, float]:
    """Return how many rows a file has, and how many bytes each has as JSON."""
    lengths, at, ended = _first(file)
    if not lengths:
        return 0.0, 0.0
    mean = sum(lengths) / len(lengths)
    if file.format == "parquet":
        return float(_parquet_rows(file.path)), mean
    if ended:
        return float(len(lengths)), mean
    if file.format == "arrow":
        return size / mean, mean
    if at is None or file.format == "json":  # compressed, or one document
        return size * _expansion(file, size) / mean, mean
    # As JSON a table's row is longer than its line: the names of the columns come on top.
    by_lines = size > _LEAST_BYTES or file.format in ("csv", "tsv")
    line = _mean_line(file.path, size) if by_lines else None
    return size / (line or at / len(lengths)), mean


def _first(file: SourceFile) -> tuple[list[int], float | None, bool]:
    """Return the sizes of the first rows, the bytes they take in the file, and if they are all.

    The second is None where the file is compressed.
    """
    with (
        open_bytes(file) as stream,
        telling_damage(file, [0]),
        closing(records(stream, file)) as some,
    ):
        lengths = [len(raw.raw) for raw in itertools.islice(some, _ROWS)]
        ended = next(some, None) is None
    return lengths, None if _is_packed(file) else float(sum(lengths) + len(lengths)), ended


def _is_packed(file: SourceFile) -> bool:
    with file.path.open("rb") as stream:
        return stream.read(4)[:2] in (b"\x1f\x8b", b"\x28\xb5")


def _expansion(file: SourceFile, size: int) -> float:
    """Return how many bytes come of each byte of a compressed file, by its first four megabytes."""
    if not _is_packed(file):
        return 1.0
    with file.path.open("rb", buffering=0) as raw:
        packed: BufferedReader[Any] = BufferedReader(raw, _PART)
        whole = replace(file, stream=packed)
        with open_bytes(whole) as stream, telling_damage(file, [0]):
            made = len(stream.read(1 << 22))
            taken = raw.tell()
    return made / max(min(taken, size), 1)


def _parquet_rows(path: Path) -> int:
    from pyarrow.parquet import ParquetFile

    with ParquetFile(path) as file:
        return int(file.metadata.num_rows)


def _mean_line(path: Path, size: int) -> float | None:
    """Return the bytes of a line, from parts spread evenly over the file."""
    lines = taken = 0
    with path.open("rb") as stream:
        for number in range(_PLACES):
            stream.seek(size * number // _PLACES)
            part = stream.read(_PART)
            lines, taken = lines + part.count(b"\n"), taken + len(part)
    return taken / lines if lines else None
