"""JSON text to values, with the one mistake that decoders pass over: a key given twice."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import orjson

from curate.formats.raw import Misfit
from curate.reasons import Reason

_PACKED = frozenset({dict, list})


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


def _why_not(data: bytes, error: orjson.JSONDecodeError) -> Misfit:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as bad:
        byte = data[bad.start]
        return Misfit(Reason.INVALID_UTF8, f"byte {bad.start + 1} of the line is {byte:#04x}")
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
