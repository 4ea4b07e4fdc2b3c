"""Reading the rows of a task: .jsonl, .csv and .parquet, every error with file and line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workspace.errors import DataError
from workspace.text import plain

LONGEST_LINE_BYTES = 10 * 2**20
"""An item is a question; a line longer than this is some other file."""


@dataclass(frozen=True, slots=True)
class Row:
    """One record as read."""

    fields: dict[str, Any]
    number: int
    """Line of the file, or record of a Parquet or CSV file, from 1."""
    where: str
    """`file:line` or `file: row N`."""


def read_rows(path: Path) -> list[Row]:
    """Read every record of `path`.

    Raises:
        DataError: no such file, another format, a damaged line, or no rows at all.
    """
    if not path.is_file():
        raise DataError(
            "there is no such data file",
            where=str(path),
            cure="Paths in a suite are relative to the suite's own directory.",
        )
    readers = {".jsonl": _jsonl, ".csv": _csv, ".parquet": _parquet}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise DataError(
            "items are read from .jsonl, .csv or .parquet",
            where=str(path),
            cure="Convert it with `temper curate convert`.",
        )
    rows = list(reader(path))
    if not rows:
        raise DataError(
            "this file has no items",
            where=str(path),
            cure="Write one object per line, or take the task out of the suite.",
        )
    return rows


def _jsonl(path: Path) -> Iterator[Row]:
    import orjson

    with path.open("rb") as stream:
        number = 0
        while line := stream.readline(LONGEST_LINE_BYTES + 1):
            number += 1
            where = f"{path}:{number}"
            if len(line) > LONGEST_LINE_BYTES:
                raise DataError(
                    "this line is too long for an item",
                    where=where,
                    cause=f"It has more than {LONGEST_LINE_BYTES // 2**20} MiB.",
                    cure="Is the file one JSON document? It must have one object per line.",
                )
            if not line.strip():
                continue
            try:
                fields = orjson.loads(line)
            except ValueError as error:
                raise DataError(
                    "this line is not JSON",
                    where=where,
                    cause=f"{error}; it begins {plain(line[:40].decode(errors='replace'), 40)!r}.",
                    cure="Write one JSON object per line, in UTF-8.",
                ) from None
            if not isinstance(fields, dict):
                raise DataError(
                    "this line is not a JSON object",
                    where=where,
                    cause=f"It is a {type(fields).__name__}.",
                    cure='Write each item as an object: {"id": …, …}.',
                )
            twice = _given_twice(line)
            if twice is not None:
                raise DataError(
                    "this item gives a key twice",
                    where=f"{where}: {twice}",
                    cause="Which of the two values is meant cannot be known.",
                    cure="Leave only the one that is meant.",
                )
            yield Row(fields, number, where)


def _given_twice(line: bytes) -> str | None:
    """Return a key that the object of this line gives twice at its top, or None."""
    import json

    found: list[list[str]] = []

    def noted(pairs: list[tuple[str, Any]]) -> None:
        found.append([key for key, _ in pairs])

    json.loads(line, object_pairs_hook=noted)
    keys = found[-1]  # the outermost object is finished last
    return next((key for key in keys if keys.count(key) > 1), None)


def _csv(path: Path) -> Iterator[Row]:
    import csv

    number = 0
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, strict=True)
            for number, fields in enumerate(reader, start=1):
                where = f"{path}:{reader.line_num}"
                if None in fields or None in fields.values():
                    raise DataError(
                        "this row has another number of fields than the header",
                        where=where,
                        cause=f"The header has {len(reader.fieldnames or ())}.",
                        cure="Quote fields that hold commas.",
                    )
                yield Row(dict(fields), number, where)
    except UnicodeDecodeError:
        raise _not_utf8(path) from None
    except csv.Error as error:
        raise DataError(
            "this CSV file cannot be read",
            where=f"{path}:{number + 2}",
            cause=f"{error}.",
            cure='Double the quotes inside quoted fields (`""`).',
        ) from None


def _not_utf8(path: Path) -> DataError:
    for number, line in enumerate(path.read_bytes().split(b"\n"), start=1):
        try:
            line.decode("utf-8")
        except UnicodeDecodeError as error:
            found = f"Byte {error.start + 1} of the line is {line[error.start]:#04x}."
            return DataError(
                "this line is not UTF-8",
                where=f"{path}:{number}",
                cause=found,
                cure="Save the file as UTF-8.",
            )
    return DataError("this file is not UTF-8", where=str(path), cure="Save it as UTF-8.")


def _parquet(path: Path) -> Iterator[Row]:
    import pyarrow
    import pyarrow.parquet

    try:
        records = pyarrow.parquet.read_table(path).to_pylist()
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(
            "this Parquet file cannot be read",
            where=str(path),
            cause=f"{str(error).rstrip('.')}.",
            cure="Write it again; its first and last four bytes must be PAR1.",
        ) from None
    for number, fields in enumerate(records, start=1):
        yield Row(fields, number, f"{path}: row {number}")
