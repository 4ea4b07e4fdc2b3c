"""How many lines come before an offset, counted block by block, for gigabytes in seconds."""

from __future__ import annotations

from array import array

from tui.logs.file import LogFile

BLOCK = 4 << 20


class LineIndex:
    """Line counts of whole blocks from the beginning of a file; grows with it."""

    def __init__(self, file: LogFile) -> None:
        self._file = file
        self._counts = array("q", [0])
        """Line ends before each block."""

    @property
    def done_bytes(self) -> int:
        """Bytes counted so far."""
        return (len(self._counts) - 1) * BLOCK

    def extend(self, blocks: int) -> bool:
        """Count up to so many further blocks; return whether more whole ones are left."""
        size = self._file.size()
        for _ in range(blocks):
            if self.done_bytes + BLOCK > size:
                return False
            data = self._file.read(self.done_bytes, BLOCK)
            self._counts.append(self._counts[-1] + ends_in(data))
        return self.done_bytes + BLOCK <= size

    def line_number(self, offset: int) -> int | None:
        """Return the number, from 1, of the line that begins at an offset, if it is known yet."""
        block = offset // BLOCK
        if block >= len(self._counts):
            return None
        inside = self._file.read(block * BLOCK, offset - block * BLOCK)
        return self._counts[block] + ends_in(inside) + 1

    def total(self) -> int | None:
        """Return how many lines there are, once all is counted."""
        size = self._file.size()
        if self.done_bytes + BLOCK <= size:
            return None
        number = self.line_number(size)
        tail = self._file.read(max(0, size - 1), 1)
        return None if number is None else number - (tail in (b"\n", b"\r", b""))


def ends_in(data: bytes) -> int:
    """Return how many lines end in these bytes, as `LogFile` splits them, or nearly so.

    A return that follows a line's end begins a bar and ends nothing.
    """
    bars = data.count(b"\r") - data.count(b"\r\n") - data.count(b"\n\r") - data.count(b"\r\r")
    return data.count(b"\n") + max(0, bars)
