"""Lines of a file by offset, forwards and backwards; progress bars are split at their returns."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

CHUNK = 256 << 10
"""Bytes read at once; a longer line is shown in pieces."""
LONGEST_SHOWN = 4_000
"""Bytes of a line that become text."""
_END = re.compile(rb"\r\n|\n|\r")


class LogLine(NamedTuple):
    """One line and where it is."""

    offset: int
    end: int
    """Where the next one begins."""
    text: str


class LogFile:
    """A log that another process may be writing, or may have removed."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def size(self) -> int:
        """Bytes it has now; 0 where there is none."""
        try:
            return self.path.stat().st_size
        except OSError:
            return 0

    def read(self, offset: int, size: int) -> bytes:
        """Return bytes of it; fewer at its end, none where there is none."""
        try:
            with self.path.open("rb") as stream:
                stream.seek(max(0, offset))
                return stream.read(max(0, size))
        except OSError:
            return b""

    def after(self, offset: int, count: int) -> list[LogLine]:
        """Return up to `count` lines from the start of a line on; the last may be unfinished."""
        lines: list[LogLine] = []
        size = _likely(count)
        while len(lines) < count:
            found, is_end = self.chunk(offset, size)
            if not found and size < CHUNK and not is_end:
                size = CHUNK
                continue
            lines += found
            if is_end or not found:
                break
            offset = lines[-1].end
        return lines[:count]

    def chunk(self, offset: int, size: int = CHUNK) -> tuple[list[LogLine], bool]:
        """Return the lines of the bytes from the start of a line on, and whether it ends there."""
        data = self.read(offset, size)
        found, rest = split(data, offset)
        if len(data) < size:
            return ([*found, rest] if rest.text else found), True
        if not found and size >= CHUNK:  # longer than a chunk: a piece of it
            found = [LogLine(offset, offset + len(data), rest.text)]
        return found, False

    def next_line_start(self, offset: int) -> int:
        """Return where the first line begins at or behind an offset."""
        if offset <= 0:
            return 0
        found = _END.search(self.read(offset - 1, CHUNK))
        return offset - 1 + found.end() if found is not None else offset

    def before(self, offset: int, count: int) -> list[LogLine]:
        """Return up to `count` lines that begin before an offset, the nearest ones last."""
        lines: list[LogLine] = []
        size = _likely(count)
        while len(lines) < count and offset > 0:
            start = max(0, offset - size)
            found = lines_between(self, start, offset)
            if start > 0 and size < CHUNK and (not found or found[0].offset == start):
                size = CHUNK  # a long line
                continue
            if not found:
                break
            lines = found + lines
            offset = found[0].offset
        return lines[-count:] if count > 0 else []


def _likely(count: int) -> int:
    """Return how many bytes so many lines are likely to have."""
    return min(CHUNK, 4096 + 256 * count)


def split(data: bytes, base: int) -> tuple[list[LogLine], LogLine]:
    """Return the whole lines of bytes that begin at offset `base`, and what is left of them.

    Nothing between two returns is no line: bars are often begun with one.
    """
    lines: list[LogLine] = []
    start = 0
    if b"\r" not in data:  # as most are
        for part in data.split(b"\n")[:-1]:
            text = part[:LONGEST_SHOWN].decode("utf-8", "replace")
            lines.append(LogLine(base + start, base + start + len(part) + 1, text))
            start += len(part) + 1
        return lines, _line(data, start, len(data), len(data), base)
    for found in _END.finditer(data):
        if found.end() == len(data) and found[0] == b"\r":
            break  # its newline may be still to come
        if found.start() > start or found[0] != b"\r":
            lines.append(_line(data, start, found.start(), found.end(), base))
        start = found.end()
    return lines, _line(data, start, len(data), len(data), base)


def _line(data: bytes, start: int, stop: int, end: int, base: int) -> LogLine:
    text = data[start : min(stop, start + LONGEST_SHOWN)].rstrip(b"\r").decode("utf-8", "replace")
    return LogLine(base + start, base + end, text)


def lines_between(file: LogFile, start: int, end: int) -> list[LogLine]:
    """Return the lines that begin from the first line start behind `start` up to `end`."""
    data = file.read(start, end - start)
    base = start
    if start > 0:
        first = _END.search(data)
        if first is not None and first.end() < len(data):
            base, data = start + first.end(), data[first.end() :]
    found, rest = split(data, base)
    return [*found, rest] if rest.text else found
