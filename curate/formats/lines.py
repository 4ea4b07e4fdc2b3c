"""JSON Lines: numbered lines, no schema guessed from the first rows.

Records of plain values, as most are, are decoded many at once, others each by itself; what comes
out is the same.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, cast

import numpy as np

from curate.formats.decode import decode, decode_together
from curate.formats.raw import LONGEST_ROW_BYTES, Misfit, RawRow
from curate.reasons import Reason

_BOM = b"\xef\xbb\xbf"
_BREAK = ord("\n")
_SHOWN = 1000
_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class LineBlock:
    """Neighbouring lines of a file."""

    begin: int
    """Number of the first of them, from 1."""
    count: int
    """How many they are, blank ones too."""
    data: bytes
    """The lines without the last one's break; of a line too long to be a record, its beginning."""
    cut: int = 0
    """Length in bytes of the one line that is too long; 0 where none is."""

    def filled(self) -> tuple[Sequence[int], Sequence[bytes]]:
        """Return the numbers of the lines that are not blank, and those lines."""
        texts = [line.strip() for line in self.data.split(b"\n")]
        if all(texts):
            return range(self.begin, self.begin + len(texts)), texts
        kept = [(place, text) for place, text in enumerate(texts, self.begin) if text]
        return [place for place, _ in kept], [text for _, text in kept]


def read_lines(stream: BinaryIO) -> Iterator[RawRow]:
    """Yield one row for each line that is not blank; of one that is too long, its beginning."""
    for block in line_blocks(stream):
        if block.cut:
            yield too_long_line(block)
        else:
            places, texts = block.filled()
            yield from rows_of(texts, places)


def line_blocks(stream: BinaryIO) -> Iterator[LineBlock]:
    """Yield the lines of a file; memory is bounded. A line that is too long comes by itself."""
    number = 1
    for data, cut in _blocks(stream):
        count = int(np.count_nonzero(np.frombuffer(data, np.uint8) == _BREAK)) + 1
        yield LineBlock(number, count, data.removeprefix(_BOM) if number == 1 else data, cut)
        number += count


def too_long_line(block: LineBlock) -> RawRow:
    """Return the row of a line that was cut."""
    return RawRow(block.begin, None, block.data.strip(), too_long(block.cut))


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


def _blocks(stream: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Yield neighbouring lines without the last one's break, and 0; memory is bounded.

    A line that is too long comes by itself: its first `_SHOWN` bytes, and its length in bytes.
    """
    # One read of the file at a time: what lies before a damaged place is not lost.
    buffered = cast("io.BufferedReader", stream)
    rest = b""
    while read := buffered.read1(_BLOCK_BYTES):
        data = rest + read
        end, begin = data.rfind(b"\n"), 0
        if end >= 0:
            first = data.find(b"\n")
            if first >= LONGEST_ROW_BYTES:
                yield data[:_SHOWN], first + 1
                begin = first + 1
            if begin <= end:
                yield data[begin:end], 0
        rest = data[end + 1 :]
        if len(rest) > LONGEST_ROW_BYTES:
            yield rest[:_SHOWN], len(rest) + _skipped(stream)
            rest = b""
    if rest:
        yield rest, 0


def _skipped(stream: BinaryIO) -> int:
    """Pass over the rest of a line; return its length in bytes."""
    length = 0
    while part := stream.readline(LONGEST_ROW_BYTES):
        length += len(part)
        if part.endswith(b"\n"):
            break
    return length
