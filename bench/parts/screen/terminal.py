"""Programs in pseudo-terminals: when something is on the screen, how many bytes it took."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

_TICKS = os.sysconf("SC_CLK_TCK")


class Terminal:
    """A program that draws on 80x24 cells."""

    def __init__(
        self,
        argv: Sequence[str],
        columns: int = 80,
        lines: int = 24,
        directory: Path | None = None,
    ) -> None:
        self.output = b""
        self.began = time.monotonic()
        self.pid, self.descriptor = pty.fork()
        if self.pid == 0:
            os.chdir(directory or Path.cwd())
            drawn = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LC_ALL": "C.UTF-8"}
            os.execve(argv[0], list(argv), {**os.environ, **drawn, "LANG": "en_GB.UTF-8"})
        size = struct.pack("HHHH", lines, columns, 0, 0)
        fcntl.ioctl(self.descriptor, termios.TIOCSWINSZ, size)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.descriptor)

    def read(self, seconds: float) -> bytes:
        """Return what comes within some time, as soon as anything comes."""
        if not select.select([self.descriptor], [], [], max(0.0, seconds))[0]:
            return b""
        try:
            got = os.read(self.descriptor, 65536)
        except OSError as error:
            raise RuntimeError(f"the program ended: {self.output[-500:]!r}") from error
        self.output += got
        return got

    def read_until(self, wanted: bytes, seconds: float = 120.0) -> float:
        """Return the seconds since the start until `wanted` was on the screen."""
        deadline = time.monotonic() + seconds
        while wanted not in self.output:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{wanted!r} did not come: {self.output[-500:]!r}")
            self.read(0.5)
        return time.monotonic() - self.began

    def read_for(self, seconds: float, meanwhile: Callable[[], object] | None = None) -> int:
        """Return how many bytes come within some time; `meanwhile` is called in between."""
        before, deadline = len(self.output), time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if meanwhile is not None:
                meanwhile()
            self.read(min(left, 0.02 if meanwhile is not None else left))
        return len(self.output) - before

    def press(self, key: bytes, wanted: bytes, seconds: float = 10.0) -> float:
        """Return the seconds from a key until `wanted` is drawn."""
        place, began = len(self.output), time.monotonic()
        os.write(self.descriptor, key)
        while wanted not in self.output[place:]:
            if time.monotonic() - began > seconds:
                raise RuntimeError(f"nothing came of the key {key!r}")
            self.read(0.5)
        return time.monotonic() - began

    def cpu_seconds(self) -> float:
        """Return the processor time that the program has used."""
        with open(f"/proc/{self.pid}/stat") as stream:  # noqa: PTH123  (no file of the disk)
            fields = stream.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS
