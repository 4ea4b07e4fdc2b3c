"""Follow a file that another process appends to, by offset, never reading a byte twice."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

LONGEST_LINE_BYTES = 1 << 20


class Chunk(NamedTuple):
    """What one look at the file gave."""

    lines: tuple[bytes, ...] = ()
    """Whole lines, without their ends; a torn last line comes when it is whole."""
    bytes_read: int = 0
    restarted: bool = False
    """The file was replaced or cut: forget what came before these lines."""
    more: bool = False
    """There is more to read now."""


class Tail:
    """A position in an append-only file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offset = 0
        self._inode: int | None = None
        self._in_long_line = False

    def skip_to_last(self, size: int) -> None:
        """Begin within the last `size` bytes, at the start of a line."""
        try:
            status = self.path.stat()
        except OSError:
            return
        if status.st_size > size:
            self._inode, self._offset = status.st_ino, status.st_size - size
            self._in_long_line = True

    def read(self, limit: int = LONGEST_LINE_BYTES) -> Chunk:
        """Return the whole lines that came since, from at most `limit` bytes.

        A file that is missing or may not be read gives nothing. A line longer than `limit` is
        passed over, so that one bad line cannot stop or fill the reader.
        """
        try:
            status = self.path.stat()
            fresh = status.st_ino != self._inode or status.st_size < self._offset
            restarted = fresh and self._inode is not None
            if fresh:
                self._inode, self._offset, self._in_long_line = status.st_ino, 0, False
            if status.st_size == self._offset:
                return Chunk(restarted=restarted)
            with self.path.open("rb") as stream:
                stream.seek(self._offset)
                data = stream.read(limit)
        except OSError:
            return Chunk()
        taken = data.rfind(b"\n") + 1
        if not taken and len(data) == limit:
            self._in_long_line, taken, lines = True, limit, []
        else:
            lines = data[:taken].split(b"\n")[:-1]
            if lines and self._in_long_line:
                del lines[0]
                self._in_long_line = False
        self._offset += taken
        more = bool(taken) and status.st_size > self._offset
        return Chunk(tuple(lines), len(data), restarted, more)
