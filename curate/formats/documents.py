"""JSON documents: an array of rows, an object of equally long arrays, or rows under `data`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, BinaryIO

import orjson

from curate.formats.decode import duplicate_key
from curate.formats.files import SourceFile
from curate.formats.lines import read_lines
from curate.formats.raw import Misfit, RawRow
from curate.reasons import Reason
from workspace.errors import DataError

_ROW_KEYS = ("data", "rows", "examples", "instances", "train")


def read_document(stream: BinaryIO, file: SourceFile) -> Iterator[RawRow]:
    """Yield the rows of one JSON document, which is read into memory whole.

    A file of JSON Lines that is called `.json` is read as lines.

    Raises:
        DataError: not JSON, or rows cannot be found in it.
    """
    import io

    data = stream.read()
    try:
        value = orjson.loads(data.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        if _is_lines(data):
            yield from read_lines(io.BytesIO(data))
            return
        raise DataError(
            "this file is not JSON",
            where=f"{file.name}:{error.lineno}:{error.colno}",
            cause=f"{error.msg.split(':')[0]}.",
            cure="Mend it at that line and column; if each line is a document of its own, give the "
            "source `format: jsonl`.",
        ) from error
    rows = _rows(value, file)
    twice = _rows_with_twice(data, file) if duplicate_key(data) is not None else {}
    for number, row in enumerate(rows, 1):
        misfit = None
        if number in twice:
            misfit = Misfit(Reason.DUPLICATE_KEY, f"the key {twice[number]!r} is given twice")
        try:
            raw = orjson.dumps(row, option=orjson.OPT_SORT_KEYS)
        except orjson.JSONEncodeError as error:
            raw, misfit = b"", Misfit(Reason.BAD_JSON, f"{error}")
        yield RawRow(number, row, raw, misfit)


def _is_lines(data: bytes) -> bool:
    first = data.lstrip().split(b"\n", 1)[0]
    try:
        return isinstance(orjson.loads(first), dict)
    except orjson.JSONDecodeError:
        return False


def _rows(value: Any, file: SourceFile) -> list[Any]:
    if isinstance(value, list):
        return value
    if isinstance(value, dict):
        for key in _ROW_KEYS:
            if isinstance(value.get(key), list):
                return list(value[key])
        columns = list(value.values())
        if columns and all(isinstance(column, list) for column in columns):
            if len({len(column) for column in columns}) == 1:
                return [dict(zip(value, row, strict=True)) for row in zip(*columns, strict=True)]
        elif columns and not any(isinstance(column, list | dict) for column in columns):
            return [value]
    raise DataError(
        "no rows were found in this JSON document",
        where=file.name,
        cause="It is neither an array, nor an object of equally long arrays, nor an object with "
        f"an array under one of: {', '.join(_ROW_KEYS)}.",
        cure="Write the rows as an array, or as JSON Lines.",
    )


class _Marked(dict[str, Any]):
    """An object in which a key was given twice."""

    key = ""


def _marking(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    seen = _Marked(pairs)
    if len(seen) == len(pairs):
        return dict(pairs)
    names = [key for key, _ in pairs]
    seen.key = next(name for name in names if names.count(name) > 1)
    return seen


def _rows_with_twice(data: bytes, file: SourceFile) -> dict[int, str]:
    """Return row number → key for the rows that give a key twice, at any depth.

    Raises:
        DataError: the object around the rows gives a key twice, so which rows are meant is unsure.
    """
    value = json.loads(data, object_pairs_hook=_marking)
    rows = _rows(value, file)
    if isinstance(value, _Marked) and not (rows and rows[0] is value):
        raise DataError(
            "this JSON document gives a key twice",
            where=file.name,
            cause=f"The key {value.key!r} of the object around the rows is there more than once.",
            cure="Leave only the one that is meant.",
        )
    found = {number: _marked(row) for number, row in enumerate(rows, 1)}
    return {number: key for number, key in found.items() if key is not None}


def _marked(value: Any) -> str | None:
    if isinstance(value, _Marked):
        return value.key
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return next((key for key in map(_marked, inner) if key is not None), None)
