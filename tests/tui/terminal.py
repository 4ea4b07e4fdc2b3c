"""The app in a pseudo-terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time
from pathlib import Path

PROGRAM = (
    "import sys; from pathlib import Path; from tui.app import run_app; "
    "sys.exit(run_app(Path({root!r})))"
)


class Terminal:
    """A pseudo-terminal with the app in it, or with another program of Python."""

    def __init__(
        self,
        root: Path,
        *,
        columns: int = 80,
        lines: int = 24,
        program: str | None = None,
        **environment: str,
    ) -> None:
        code = program or PROGRAM.format(root=str(root))
        self.pid, self.descriptor = pty.fork()
        if self.pid == 0:
            clean = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
            clean |= {"TERM": "xterm-256color", "LANG": "en_GB.UTF-8", "LC_ALL": "", **environment}
            os.execve(sys.executable, [sys.executable, "-P", "-c", code], clean)
        # Else the next terminal would hold this one open, and no line would ever drop.
        os.set_inheritable(self.descriptor, False)
        self.resize(columns, lines)
        self.output = b""

    def resize(self, columns: int, lines: int) -> None:
        """Give the terminal another size."""
        size = struct.pack("HHHH", lines, columns, 0, 0)
        fcntl.ioctl(self.descriptor, termios.TIOCSWINSZ, size)

    def read_until(self, wanted: bytes, seconds: float = 30.0) -> bool:
        """Read until `wanted` was printed."""
        deadline = time.monotonic() + seconds
        while wanted not in self.output and time.monotonic() < deadline:
            self.read_for(0.05)
        return wanted in self.output

    def read_for(self, seconds: float) -> int:
        """Read what is printed in the next seconds; return how many bytes."""
        before, deadline = len(self.output), time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if select.select([self.descriptor], [], [], left)[0]:
                try:
                    self.output += os.read(self.descriptor, 65536)
                except OSError:
                    break
        return len(self.output) - before

    def press(self, keys: bytes) -> None:
        """Send what a keyboard sends."""
        os.write(self.descriptor, keys)

    def hang_up(self) -> int | None:
        """Let the line drop; return the exit code of the app."""
        os.close(self.descriptor)
        self.descriptor = -1
        return self.exit_code()

    def exit_code(self, seconds: float = 15.0) -> int | None:
        """Wait for the end; return the exit code."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.descriptor >= 0:
                self.read_for(0.05)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.pid = 0
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.02)
        return None

    def close(self) -> None:
        """End the app, whatever it does."""
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        if self.descriptor >= 0:
            os.close(self.descriptor)
