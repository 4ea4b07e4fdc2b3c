"""Arrow's values as JSON knows them; the features that a Hugging Face dataset states are honoured.

| Arrow | becomes |
|---|---|
| string, large string, string view, dictionary | text |
| decimal | text: `12.50` |
| date, time, timestamp, duration | text as Arrow writes it: `2026-01-31 12:00:00` |
| list, struct | array, object |
| map | object; an array of pairs where a key is no text |
| binary | bytes, which only an image may be |
| NaN in a column of floats | null, as pandas means it |
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import orjson
import pyarrow as pa

from curate.formats.raw import Misfit, RawRow
from curate.formats.shape import is_null, rows_of_columns
from curate.reasons import Reason

Decoder = Callable[[Any], Any]
_BATCH_BYTES = 32_000_000


class RowReader:
    """Turns batches of one schema into numbered records."""

    def __init__(self, schema: pa.Schema, features: Mapping[str, Any] | None = None) -> None:
        """Read rows of a schema.

        Args:
            schema: of the batches.
            features: `datasets.Features.to_dict()`; left out: what the schema's metadata says.
        """
        self.number = 0
        """Rows given out so far."""
        self._plain = {field.name: _plain_type(field.type) for field in schema}
        self._floats = [field.name for field in schema if pa.types.is_floating(field.type)]
        self._maps = [field.name for field in schema if _has_map(field.type)]
        stated = features if features is not None else _stated_features(schema)
        found = {name: _decoder(stated[name]) for name in schema.names if name in stated}
        self._decoders = {name: made for name, made in found.items() if made is not None}

    def rows(self, batch: pa.RecordBatch) -> Iterator[RawRow]:
        """Yield the records of a batch, a bounded number of bytes at a time.

        A row with a value that cannot be read (text that is not UTF-8, a date beyond the calendar)
        is a record with a misfit.
        """
        each = max(1, batch.nbytes // max(batch.num_rows, 1))
        step = max(1, min(4096, _BATCH_BYTES // each))
        for begin in range(0, batch.num_rows, step):
            yield from self._some(batch.slice(begin, step))

    def _some(self, part: pa.RecordBatch) -> Iterator[RawRow]:
        try:
            values = self._plainly(part).to_pylist()
        except (UnicodeDecodeError, pa.ArrowException, ValueError, OverflowError) as error:
            if part.num_rows > 1:
                for place in range(part.num_rows):
                    yield from self._some(part.slice(place, 1))
                return
            self.number += 1
            yield RawRow(self.number, None, f"{error}".encode(), _unreadable(error))
            return
        for value in values:
            self.number += 1
            yield self._record(value)

    def _record(self, value: dict[str, Any]) -> RawRow:
        try:
            # pandas writes NaN where a column of numbers has no value.
            value.update({name: None for name in self._floats if is_null(value[name])})
            value.update({name: _with_objects(value[name]) for name in self._maps})
            for name, decode in self._decoders.items():
                value[name] = decode(value[name])
            held: list[int] = []
            raw = raw_bytes(value, held)
        except (Misfit, orjson.JSONEncodeError, RecursionError) as error:
            misfit = error if isinstance(error, Misfit) else _unreadable(error)
            return RawRow(self.number, None, repr(value)[:1000].encode(errors="replace"), misfit)
        return RawRow(self.number, value, raw, held=sum(held))

    def _plainly(self, part: pa.RecordBatch) -> pa.RecordBatch:
        columns = [
            column if column.type == plain else column.cast(plain)
            for column, plain in zip(part.columns, self._plain.values(), strict=True)
        ]
        return pa.RecordBatch.from_arrays(columns, names=[*self._plain])


def raw_bytes(value: Mapping[str, Any], held: list[int] | None = None) -> bytes:
    """Return a record as JSON with its keys in order; bytes stand there as their SHA-256.

    Args:
        value: the record.
        held: gets the length of each value that is bytes.
    """

    def other(item: object) -> str:
        if not isinstance(item, bytes):
            return str(item)
        if held is not None:
            held.append(len(item))
        return f"sha256:{hashlib.sha256(item).hexdigest()}"

    options = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY
    return orjson.dumps(value, default=other, option=options)


def _unreadable(error: Exception) -> Misfit:
    if isinstance(error, UnicodeDecodeError):
        byte = error.object[error.start]
        return Misfit(Reason.INVALID_UTF8, f"byte {error.start + 1} of a text is {byte:#04x}")
    return Misfit(Reason.UNREADABLE_VALUE, f"{error}".splitlines()[0][:200])


def _plain_type(kind: pa.DataType) -> pa.DataType:
    """Return the type that a column is cast to, so that its values are JSON's."""
    types = pa.types
    if types.is_dictionary(kind):
        return _plain_type(kind.value_type)
    if types.is_temporal(kind) or types.is_decimal(kind):
        return pa.large_string()
    if types.is_string_view(kind):
        return pa.large_string()
    if types.is_binary_view(kind) or types.is_fixed_size_binary(kind):
        return pa.large_binary()
    if types.is_float16(kind):
        return pa.float32()
    if types.is_struct(kind):
        return pa.struct([field.with_type(_plain_type(field.type)) for field in kind])
    if types.is_map(kind):
        item = kind.item_field.with_type(_plain_type(kind.item_type))
        return pa.map_(kind.key_field.with_type(_plain_type(kind.key_type)), item)
    if types.is_large_list(kind) or types.is_large_list_view(kind):
        return pa.large_list(_plain_type(kind.value_type))
    if types.is_list(kind) or types.is_fixed_size_list(kind) or types.is_list_view(kind):
        return pa.list_(_plain_type(kind.value_type))
    return _plain_type(kind.storage_type) if isinstance(kind, pa.BaseExtensionType) else kind


def _has_map(kind: pa.DataType) -> bool:
    if pa.types.is_map(kind):
        return True
    return any(_has_map(kind.field(place).type) for place in range(kind.num_fields))


def _with_objects(value: Any) -> Any:
    """Return a value with Arrow's maps, which arrive as lists of pairs, as objects."""
    if isinstance(value, dict):
        return {key: _with_objects(item) for key, item in value.items()}
    if not isinstance(value, list):
        return value
    if value and all(isinstance(item, tuple) and len(item) == 2 for item in value):
        if all(isinstance(key, str) for key, _ in value):
            return {key: _with_objects(item) for key, item in value}
        return [[key, _with_objects(item)] for key, item in value]
    return [_with_objects(item) for item in value]


def _stated_features(schema: pa.Schema) -> Mapping[str, Any]:
    """Return what `datasets` wrote beside the schema; nothing where it did not."""
    try:
        stated = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
    except (KeyError, TypeError, ValueError):
        return {}
    return stated if isinstance(stated, dict) else {}


def _decoder(feature: Any) -> Decoder | None:
    """Return what makes of a stored value what the feature says it is; None changes nothing."""
    if isinstance(feature, list) and len(feature) == 1:
        return _each(_decoder(feature[0]))
    if not isinstance(feature, dict):
        return None
    kind = feature.get("_type")
    if kind == "ClassLabel":
        names = feature.get("names")
        return _named(names) if isinstance(names, list) else None
    if kind in ("Sequence", "List", "LargeList"):
        inner = feature.get("feature")
        item = _decoder(inner)
        if kind == "Sequence" and isinstance(inner, dict) and "_type" not in inner:
            return _each(item, turned=True)
        return _each(item)
    return _fields(feature) if not isinstance(kind, str) else None


def _named(names: list[str]) -> Decoder:
    def decode(value: Any) -> Any:
        if isinstance(value, str) and value.lstrip("-").isdigit() and value not in names:
            value = int(value)  # a table's
        if value is None or not isinstance(value, int) or value == -1:  # -1: no label is known
            return value if isinstance(value, str) else None
        if not 0 <= value < len(names):
            raise Misfit(
                Reason.UNREADABLE_VALUE, f"label {value} is none of the {len(names)} classes"
            )
        return names[value]

    return decode


def _each(item: Decoder | None, *, turned: bool = False) -> Decoder | None:
    """Decode each of a list; `turned`: of a list of objects, stored as an object of lists."""
    if item is None and not turned:
        return None

    def decode(value: Any) -> Any:
        if turned and isinstance(value, dict):
            value = rows_of_columns(value)
        if not isinstance(value, list) or item is None:
            return value
        return [item(one) for one in value]

    return decode


def _fields(features: dict[str, Any]) -> Decoder | None:
    found = {name: _decoder(feature) for name, feature in features.items()}
    known = {name: made for name, made in found.items() if made is not None}
    if not known:
        return None

    def decode(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {key: known[key](item) if key in known else item for key, item in value.items()}

    return decode
