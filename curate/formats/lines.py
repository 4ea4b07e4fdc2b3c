"""JSON Lines: numbered lines, each decoded by itself; no schema is guessed from the first rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from curate.formats.decode import decode
from curate.formats.raw import Misfit, RawRow

_BOM = b"\xef\xbb\xbf"


def read_lines(stream: BinaryIO) -> Iterator[RawRow]:
    """Yield one row for each line that is not blank."""
    for number, line in enumerate(stream, 1):
        text = line.strip()
        if number == 1:
            text = text.removeprefix(_BOM)
        if not text:
            continue
        try:
            yield RawRow(number, decode(text), text)
        except Misfit as misfit:
            yield RawRow(number, None, text, misfit)
