"""JSON text to values, with the one mistake that decoders pass over: a key given twice."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import orjson
import polars as pl

from curate.formats.raw import Misfit
from curate.reasons import Reason

_PACKED = frozenset({dict, list})
_PADDING = " \t\n\r\x0b\x0c"
"""What `bytes.strip` takes off."""
_BREAK = ord("\n")


def decode(data: bytes) -> Any:
    """Decode one JSON document.

    Raises:
        Misfit: not UTF-8, not JSON, or an object gives one key twice.
    """
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise _why_not(data, error) from None
    colons = _colons(data)
    if (
        type(value) is dict
        and colons == len(value)
        and _PACKED.isdisjoint(map(type, value.values()))
    ):
        return value  # a record of plain values, as most are
    try:
        keys = _keys(value)
    except RecursionError:
        raise Misfit(Reason.BAD_JSON, "it is nested too deeply") from None
    if colons != keys:
        duplicate = duplicate_key(data)
        if duplicate is not None:
            raise Misfit(Reason.DUPLICATE_KEY, f"the key {duplicate!r} is given twice")
    return value


def decode_together(lines: Sequence[bytes]) -> list[Any] | None:
    """Decode lines that each are an object of plain values, as `decode` would one by one.

    Returns:
        The objects; None where `decode` must look at the lines one by one.
    """
    if not lines or not _is_plain(lines[0]):
        return None
    # A line break may not stand in a text: no two lines are read as parts of one text.
    joined = b"[%b]" % b",\n".join(lines)
    try:
        values = orjson.loads(joined)
    except orjson.JSONDecodeError:
        return None
    if len(values) != len(lines) or {*map(type, values)} != {dict}:
        return None
    # Lines that are parts of one value have a list around them.
    if not _PACKED.isdisjoint(map(type, chain.from_iterable(map(dict.values, values)))):
        return None
    keys = map(len, values)
    return values if all(map(int.__eq__, _all_colons(lines, joined), keys)) else None


def is_texts(value: Any) -> bool:
    """Return whether a value is an object with nothing but texts."""
    return type(value) is dict and {*map(type, value.values())} == {str}


@dataclass(frozen=True)
class _Exported:
    """What Arrow has, by the protocol alone: for its own classes polars imports pyarrow.compute."""

    data: Any

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self.data.__arrow_c_stream__(requested_schema)


def objects_of(data: bytes) -> pl.Series | None:
    """Return the lines without padding; None where one does not begin and end as an object.

    Then, with texts alone as values, no two lines are read as parts of one object; two objects in
    one line are told by their number. None too where the bytes are not UTF-8.
    """
    import pyarrow as pa

    try:
        data.decode()
    except UnicodeDecodeError:
        return None
    breaks = np.flatnonzero(np.frombuffer(data, np.uint8) == _BREAK)
    begins = np.concatenate(([0], breaks + 1, [len(data)]))
    # Over the bytes as they are: `str.split` would copy them into a list first.
    buffers = [None, pa.py_buffer(begins), pa.py_buffer(data)]
    array = pa.Array.from_buffers(pa.large_string(), begins.size - 1, buffers)
    broken = pl.Series("line", _Exported(pa.chunked_array([array])))
    lines = broken.str.strip_chars(_PADDING)
    framed = lines.str.starts_with("{") & lines.str.ends_with("}")
    return lines if framed.all() else None


def texts_of(data: bytes, lines: int, keys: Sequence[str]) -> pl.DataFrame | None:
    """Decode lines that each are an object with these keys and a text under each, as `decode` does.

    Arrow's reader is as strict as that: it refuses a key given twice or not among `keys`, and a
    value of another kind. What it passes over is looked at by `objects_of`.

    Args:
        data: lines of which `objects_of` makes something.
        lines: how many they are.
        keys: of each object.

    Returns:
        Key → texts; None where `decode` must look at the lines one by one.
    """
    import pyarrow as pa
    from pyarrow.json import ParseOptions, ReadOptions, read_json

    schema = pa.schema([(key, pa.large_string()) for key in keys])
    try:
        table = read_json(
            pa.BufferReader(data),
            ReadOptions(use_threads=False, block_size=len(data) + 1),
            ParseOptions(explicit_schema=schema, unexpected_field_behavior="error"),
        )
    except pa.ArrowInvalid:
        return None
    whole = table.num_rows == lines and not any(c.null_count for c in table.columns)
    return pl.DataFrame(_Exported(table)) if whole else None


def first_of(line: bytes) -> Any:
    """Return a line decoded, or None where it cannot be."""
    try:
        return decode(line)
    except Misfit:
        return None


def _is_plain(line: bytes) -> bool:
    """Return whether a line is an object of plain values."""
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return type(value) is dict and _PACKED.isdisjoint(map(type, value.values()))


def _all_colons(lines: Sequence[bytes], joined: bytes) -> Iterable[int]:
    """Return `_colons` of each line."""
    if b"\\" in joined or b'" :' in joined:
        return map(_colons, lines)
    return (line.count(b'":') for line in lines)


def _why_not(data: bytes, error: orjson.JSONDecodeError) -> Misfit:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as bad:
        found = f"byte {bad.start + 1} of the line is {data[bad.start]:#04x}"
        return Misfit(Reason.INVALID_UTF8, f"{found}; `iconv -f cp1252 -t utf-8` if it is cp1252")
    return Misfit(Reason.BAD_JSON, f"column {error.colno}: {error.msg.split(':')[0]}")


def _colons(data: bytes) -> int:
    """Count quotes before a colon: one for each key, unless the text is written unusually.

    Only where this differs from the keys decoded is the slow, exact check worth its time.
    """
    count = data.count(b'":') + data.count(b'" :')
    return count - data.count(b'\\":') - data.count(b'\\" :') if b"\\" in data else count


def _keys(value: Any) -> int:
    if type(value) is dict:
        inner: Iterable[Any] = value.values()
        count = len(value)
    elif type(value) is list:
        inner, count = value, 0
    else:
        return 0
    for item in inner:
        if type(item) is dict or type(item) is list:
            count += _keys(item)
    return count


class _Twice(Exception):
    pass


def _checked(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    seen: dict[str, Any] = {}
    for key, value in pairs:
        if key in seen:
            raise _Twice(key)
        seen[key] = value
    return seen


def duplicate_key(data: bytes) -> str | None:
    """Return a key that some object in this valid JSON gives twice, or None."""
    try:
        json.loads(data, object_pairs_hook=_checked)
    except _Twice as twice:
        return str(twice)
    except (ValueError, RecursionError):
        return None
    return None
