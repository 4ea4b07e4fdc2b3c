"""CSV and TSV: a header, then records; every value is text."""

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


def read_table(stream: BinaryIO, file: SourceFile) -> Iterator[RawRow]:
    """Yield the records of a CSV or TSV file; an empty field is the empty text.

    Raises:
        DataError: no header, a header name given twice, or a quote that is never closed.
    """
    csv.field_size_limit(sys.maxsize)
    # Bytes that are not UTF-8 survive as surrogates, so that only their own record is lost.
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
    delimiter = "\t" if file.format == "tsv" else ","
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    try:
        header = next(reader, [])
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
            where=f"{file.name}:{reader.line_num}",
            cause=f"{error}; a field's quote may never be closed.",
            cure='Double the quotes inside quoted fields (`""`), or write the rows as JSON Lines.',
        ) from error
    finally:
        text.detach()


def _check_header(header: list[str], file: SourceFile) -> None:
    twice = sorted({name for name in header if header.count(name) > 1})
    if header and not twice:
        return
    raise DataError(
        "the header of this table cannot be used",
        where=f"{file.name}:1",
        cause=f"It names {twice[0]!r} twice." if twice else "The first line is blank.",
        cure="The first line must name each column once.",
    )


def _record(header: list[str], fields: list[str], number: int) -> RawRow:
    joined = "\x1f".join(fields)
    if not joined.isascii() and any("\udc80" <= character <= "\udcff" for character in joined):
        raw = joined.encode("utf-8", "surrogateescape")
        return RawRow(number, None, raw, Misfit(Reason.INVALID_UTF8, "a field is not UTF-8"))
    if len(fields) != len(header):
        detail = f"{len(fields)} fields where the header has {len(header)}"
        return RawRow(number, None, joined.encode(), Misfit(Reason.RAGGED_ROW, detail))
    value = dict(zip(header, fields, strict=True))
    return RawRow(number, value, orjson.dumps(value, option=orjson.OPT_SORT_KEYS))
