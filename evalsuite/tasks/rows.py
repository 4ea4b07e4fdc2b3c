"""Reading the rows of a task from files, every error with file and line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workspace.errors import DataError
from workspace.text import plain

LONGEST_LINE_BYTES = 10 * 2**20
"""An item is a question; a line longer than this is some other file."""


_FILLED = {
    ".jsonl": "Write one object per line",
    ".ndjson": "Write one object per line",
    ".json": "Write a list of objects",
    ".csv": "Write a line for each item under the header",
    ".tsv": "Write a line for each item under the header",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One record as read."""

    fields: dict[str, Any]
    number: int
    """Line of the file, or record of a JSON, Parquet or CSV file, from 1."""
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
    readers = {
        ".jsonl": _jsonl, ".ndjson": _jsonl, ".json": _json, ".csv": _csv, ".tsv": _tsv,
        ".parquet": _parquet,
    }  # fmt: skip
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise DataError(
            f"items are read from {', '.join(readers)}",
            where=str(path),
            cure="Convert it with `temper curate convert`.",
        )
    rows = list(reader(path))
    if not rows:
        raise DataError(
            "this file has no items",
            where=str(path),
            cure=f"{_FILLED.get(path.suffix.lower(), 'Write some')}, or take the task out of the "
            "suite.",
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


class _Repeated(dict[str, Any]):
    """An object that gives a key twice."""


def _json(path: Path) -> Iterator[Row]:
    """Yield the objects of a file that is one JSON list of them."""
    import json

    def as_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        return made if len(made) == len(pairs) else _Repeated(made)

    def refuse(constant: str) -> Any:
        raise ValueError(f"{constant} is not JSON")

    try:
        text = path.read_text(encoding="utf-8-sig")
        records = json.loads(text, object_pairs_hook=as_object, parse_constant=refuse)
    except UnicodeDecodeError:
        raise _not_utf8(path) from None
    except (ValueError, RecursionError) as error:
        raise DataError(
            "this file is not one JSON document",
            where=str(path),
            cause=f"{error}.",
            cure="Write a list of objects; with one object per line, call the file .jsonl.",
        ) from None
    if not isinstance(records, list):
        raise DataError(
            "this file is not a list of items",
            where=str(path),
            cause=f"Found a {type(records).__name__}; expected a list of objects.",
            cure="Write `[{…}, {…}]`, or one object per line in a file called .jsonl.",
        )
    for number, fields in enumerate(records, start=1):
        where = f"{path}: item {number}"
        if not isinstance(fields, dict) or isinstance(fields, _Repeated):
            is_object = isinstance(fields, dict)
            found = "an object that gives a key twice" if is_object else type(fields).__name__
            raise DataError(
                "this item is not a JSON object with every key once",
                where=where,
                cause=f"Found {found}.",
                cure='Write each item as an object: {"id": …, …}.',
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


def _tsv(path: Path) -> Iterator[Row]:
    return _csv(path, delimiter="\t")


def _csv(path: Path, delimiter: str = ",") -> Iterator[Row]:
    import csv

    number = 0
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, strict=True, delimiter=delimiter)
            for number, fields in enumerate(reader, start=1):
                where = f"{path}:{reader.line_num}"
                if None in fields or None in fields.values():
                    given = [one for key, one in fields.items() if key is not None]
                    found = sum(one is not None for one in given) + len(fields.get(None) or ())
                    raise DataError(
                        "this row has another number of fields than the header",
                        where=where,
                        cause=f"Found {found}; the header has {len(reader.fieldnames or ())}.",
                        cure="Quote fields that hold commas (or tabs).",
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
