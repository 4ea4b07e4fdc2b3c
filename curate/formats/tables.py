"""CSV and TSV: a header (in the file or given), then records; every value is text."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterator
from typing import BinaryIO

import orjson

from curate.formats.files import SourceFile
from curate.formats.raw import Misfit, RawRow
from curate.reasons import Reason
from workspace.errors import DataError

_DELIMITERS = ",;\t|"
"""Of those that stand equally often, the first."""


def read_table(stream: BinaryIO, file: SourceFile) -> Iterator[RawRow]:
    """Yield the records of a CSV or TSV file; an empty field is the empty text.

    Raises:
        DataError: no header, a header name given twice, or a quote that is never closed.
    """
    csv.field_size_limit(sys.maxsize)
    # Bytes that are not UTF-8 survive as surrogates, so that only their own record is lost.
    encoding = "utf-8-sig" if file.encoding == "utf-8" else file.encoding
    text = io.TextIOWrapper(stream, encoding=encoding, errors="surrogateescape", newline="")
    delimiter = _delimiter(stream, file)
    reader = csv.reader(
        text,
        delimiter=delimiter,
        strict=True,
        quoting=csv.QUOTE_MINIMAL if file.quotes else csv.QUOTE_NONE,
    )
    begun = 1
    try:
        header = [*file.header] or next(reader, [])
        _check_header(header, file)
        begun, number = reader.line_num + 1, 0
        for fields in reader:
            if fields:
                number += 1
                row = _record(header, fields, number)
                row.line = begun
                yield row
            begun = reader.line_num + 1
    except csv.Error as error:
        raise DataError(
            "this table cannot be read further",
            where=f"{file.name}:{begun}",
            cause=f"{error} at line {reader.line_num}, in the record that begins at line {begun}; "
            "a field's quote may never be closed.",
            cure='Double the quotes inside quoted fields (`""`), or give the source `quotes: '
            "false` if quotes are text, or write the rows as JSON Lines.",
        ) from error
    finally:
        text.detach()


def _delimiter(stream: BinaryIO, file: SourceFile) -> str:
    """Return a tab for TSV; for CSV what stands in its first line, if that has no comma."""
    if file.format == "tsv":
        return "\t"
    peek = getattr(stream, "peek", None)
    first = peek(1 << 16).split(b"\n", 1)[0] if peek else b""
    if b"," in first:
        return ","
    return max(_DELIMITERS, key=lambda one: first.count(one.encode()))


def _check_header(header: list[str], file: SourceFile) -> None:
    fault = _header_fault(header)
    if fault:
        raise DataError(
            "the header of this table cannot be used",
            where=f"{file.name}:1",
            cause=fault,
            cure="The first line must name each column once, in UTF-8; if it is a record, give the "
            "source `header: [names]`.",
        )


def _header_fault(header: list[str]) -> str:
    if not header:
        return "The first line is blank."
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        return f"It names {twice[0]!r} twice."
    bad = [number for number, name in enumerate(header, 1) if _undecoded(name)]
    return f"Field {bad[0]} has byte {_undecoded(header[bad[0] - 1])}, not UTF-8." if bad else ""


def _undecoded(text: str) -> str:
    """Return the first byte that is not UTF-8, in hexadecimal; nothing where all are."""
    found = (ord(character) for character in text if "\udc80" <= character <= "\udcff")
    return next((f"{code - 0xDC00:#04x}" for code in found), "")


def _record(header: list[str], fields: list[str], number: int) -> RawRow:
    joined = "\x1f".join(fields)
    if not joined.isascii() and _undecoded(joined):
        raw = joined.encode("utf-8", "surrogateescape")
        bad = next(place for place, field in enumerate(fields) if _undecoded(field))
        name = repr(header[bad]) if bad < len(header) else str(bad + 1)
        detail = f"field {name} has byte {_undecoded(fields[bad])}; is it `encoding: cp1252`?"
        return RawRow(number, None, raw, Misfit(Reason.INVALID_UTF8, detail))
    if len(fields) != len(header):
        word = "field" if len(fields) == 1 else "fields"
        detail = f"{len(fields)} {word} where the header has {len(header)}"
        return RawRow(number, None, joined.encode(), Misfit(Reason.RAGGED_ROW, detail))
    value = dict(zip(header, fields, strict=True))
    return RawRow(number, value, orjson.dumps(value, option=orjson.OPT_SORT_KEYS))
