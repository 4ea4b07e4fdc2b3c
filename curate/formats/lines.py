"""JSON Lines: numbered lines, no schema guessed from the first rows.

Records of plain values, as most are, are decoded many at once, others each by itself; what comes
out is the same.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, cast

from curate.formats.decode import decode, decode_together
from curate.formats.raw import LONGEST_ROW_BYTES, Misfit, RawRow
from curate.reasons import Reason

_BOM = b"\xef\xbb\xbf"
_SHOWN = 1000
_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class LineBlock:
    """Neighbouring lines that are not blank."""

    places: Sequence[int]
    """Number of each in the file, from 1."""
    texts: Sequence[bytes]
    size: int
    """Bytes of the lines; of one too long, all of them."""
    cut: bool = False
    """It is one line, too long to be a record, of which `texts` has the beginning."""


def read_lines(stream: BinaryIO) -> Iterator[RawRow]:
    """Yield one row for each line that is not blank; of one that is too long, its beginning."""
    for block in line_blocks(stream):
        if block.cut:
            yield too_long_line(block)
        else:
            yield from rows_of(block.texts, block.places)


def line_blocks(stream: BinaryIO) -> Iterator[LineBlock]:
    """Yield the lines of a file; memory is bounded."""
    number = 1
    for lines, length in _blocks(stream):
        texts = [line.strip() for line in lines]
        if number == 1:
            texts[0] = texts[0].removeprefix(_BOM)
        if length > LONGEST_ROW_BYTES:
            yield LineBlock([number], texts, length, cut=True)
        elif all(texts):
            yield LineBlock(range(number, number + len(texts)), texts, sum(map(len, texts)))
        else:
            filled = [(place, text) for place, text in enumerate(texts, number) if text]
            if filled:
                places = [place for place, _ in filled]
                texts = [text for _, text in filled]
                yield LineBlock(places, texts, sum(map(len, texts)))
        number += len(lines)


def too_long_line(block: LineBlock) -> RawRow:
    """Return the row of a line that was cut."""
    return RawRow(block.places[0], None, block.texts[0], too_long(block.size))


def too_long(length: int) -> Misfit:
    """Return why a row of `length` bytes is set aside."""
    detail = f"{length / 2**20:,.1f} MiB; at most {LONGEST_ROW_BYTES // 2**20} MiB are read"
    return Misfit(Reason.TOO_LONG, detail)


def rows_of(texts: Sequence[bytes], places: Sequence[int]) -> Iterator[RawRow]:
    """Decode lines that are not blank."""
    values = decode_together(texts)
    if values is not None:
        return map(RawRow, places, values, texts)
    return map(_row, places, texts)


def _row(number: int, text: bytes) -> RawRow:
    try:
        return RawRow(number, decode(text), text)
    except Misfit as misfit:
        return RawRow(number, None, text, misfit)


def _blocks(stream: BinaryIO) -> Iterator[tuple[list[bytes], int]]:
    """Yield neighbouring lines, and 0; memory is bounded.

    A line that is too long comes by itself: its first `_SHOWN` bytes, and its length in bytes.
    """
    # One read of the file at a time: what lies before a damaged place is not lost.
    buffered = cast("io.BufferedReader", stream)
    rest = b""
    while data := buffered.read1(_BLOCK_BYTES):
        *lines, rest = (rest + data).split(b"\n")
        if lines and len(lines[0]) >= LONGEST_ROW_BYTES:
            yield [lines[0][:_SHOWN]], len(lines[0]) + 1
            del lines[0]
        if lines:
            yield lines, 0
        if len(rest) > LONGEST_ROW_BYTES:
            yield [rest[:_SHOWN]], len(rest) + _skipped(stream)
            rest = b""
    if rest:
        yield [rest], 0


def _skipped(stream: BinaryIO) -> int:
    """Pass over the rest of a line; return its length in bytes."""
    length = 0
    while part := stream.readline(LONGEST_ROW_BYTES):
        length += len(part)
        if part.endswith(b"\n"):
            break
    return length
