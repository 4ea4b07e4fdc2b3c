"""JSON Lines: numbered lines, each decoded by itself; no schema is guessed from the first rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from curate.formats.decode import decode
from curate.formats.raw import LONGEST_ROW_BYTES, Misfit, RawRow
from curate.reasons import Reason

_BOM = b"\xef\xbb\xbf"
_SHOWN = 1000


def read_lines(stream: BinaryIO) -> Iterator[RawRow]:
    """Yield one row for each line that is not blank; of one that is too long, its beginning."""
    for number, (line, length) in enumerate(_bounded(stream), 1):
        text = line.strip()
        if length > LONGEST_ROW_BYTES:
            yield RawRow(number, None, text, too_long(length))
            continue
        if number == 1:
            text = text.removeprefix(_BOM)
        if not text:
            continue
        try:
            yield RawRow(number, decode(text), text)
        except Misfit as misfit:
            yield RawRow(number, None, text, misfit)


def too_long(length: int) -> Misfit:
    """Return why a row of `length` bytes is set aside."""
    detail = f"{length / 2**20:,.1f} MiB; at most {LONGEST_ROW_BYTES // 2**20} MiB are read"
    return Misfit(Reason.TOO_LONG, detail)


def _bounded(stream: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Yield each line with its length in bytes; of a line that is too long, `_SHOWN` bytes."""
    while line := stream.readline(LONGEST_ROW_BYTES + 1):
        length = len(line)
        if length > LONGEST_ROW_BYTES:
            last = line
            while not last.endswith(b"\n") and (last := stream.readline(LONGEST_ROW_BYTES)):
                length += len(last)
            line = line[:_SHOWN]
        yield line, length
