"""Asks a child process for the GPUs, with a deadline: a driver that hangs must not hang the app.

A process in the middle of a call into a wedged driver cannot even be killed; then nothing waits for
it, no second one is started as long as it is there, and the screen says since when it is silent.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from tui.gpus.reading import GpuReport, parse_report

PERIOD_SECONDS = 2.0
DEADLINE_SECONDS = 8.0
"""Longer than a driver takes that has to wake its GPUs first."""
RETRY_SECONDS = 30.0
_REAP_SECONDS = 0.5
_LONGEST_ANSWER = 1 << 20
_SIGNS = (Path("/dev/nvidiactl"), Path("/proc/driver/nvidia/version"), Path("/dev/dxg"))
COMMAND = (sys.executable, "-P", "-m", "workspace.gpu_meters")


def may_have_gpus() -> bool:
    """Whether there are signs of a driver; looked for without calling it."""
    return any(sign.exists() for sign in _SIGNS) or shutil.which("nvidia-smi") is not None


class GpuWatch(threading.Thread):
    """Delivers a report whenever an answer differs from the one before.

    A daemon thread, so that leaving never waits for it.
    """

    def __init__(
        self, deliver: Callable[[GpuReport], object], *, command: Sequence[str] = COMMAND
    ) -> None:
        super().__init__(name="gpu-watch", daemon=True)
        self._deliver = deliver
        self._command = command
        self._child: subprocess.Popen[bytes] | None = None
        self._wake = threading.Event()
        self._wanted = threading.Event()
        self._wanted.set()
        self._stopping = False
        self._last = GpuReport()
        self._delivered: GpuReport | None = None

    def pause(self, is_paused: bool) -> None:
        """Ask nothing while nobody looks."""
        self._wanted.clear() if is_paused else self._wanted.set()

    def stop(self) -> None:
        """End the thread at its next turn, and the child now, without waiting."""
        self._stopping = True
        self._wanted.set()
        self._wake.set()
        self._kill()

    def run(self) -> None:
        """Ask until stopped; once is enough where there is no GPU."""
        while not self._stopping:
            report = self._look()
            if report != self._delivered and not self._stopping:
                self._delivered = report
                self._deliver(report)
            if not report.gauges and report.silent_since is None and not report.said:
                break
            is_well = report.silent_since is None and not report.said
            self._wake.wait(PERIOD_SECONDS if is_well else RETRY_SECONDS)
            self._wanted.wait()
        self._kill()

    def _look(self) -> GpuReport:
        asked = time.time()
        if self._child is not None and self._last.silent_since is not None:
            if self._child.poll() is None:
                return self._last  # killed, and still in the driver
            self._child = None
        try:
            line = self._ask()
        except TimeoutError:
            self._kill()
            since = self._last.silent_since or asked
            self._last = replace(self._last, silent_since=since, said="", waiting=())
            return self._last
        except (OSError, ValueError) as error:  # ValueError: closed while it was waited for
            self._kill()
            self._last = GpuReport(said=f"The GPUs cannot be measured: {error}.")
            return self._last
        self._last = parse_report(line)
        return self._last

    def _ask(self) -> bytes:
        """Return one line of the child.

        Raises:
            TimeoutError: it did not answer in time.
            OSError: it cannot be started, or ended.
        """
        if self._child is None:
            self._child = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                start_new_session=True,  # so that all it started can be killed with it
                env={**os.environ, "PYTHONSAFEPATH": "1"},
            )
        child = self._child
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(b"\n")
        deadline, answer = time.monotonic() + DEADLINE_SECONDS, b""
        while not answer.endswith(b"\n"):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([child.stdout], [], [], left)[0]:
                raise TimeoutError
            piece = os.read(child.stdout.fileno(), 65536)
            answer += piece
            if not piece or len(answer) > _LONGEST_ANSWER:
                raise OSError("the process that asks the driver ended")
        return answer

    def _kill(self) -> None:
        """Kill the child and what it started; forget it if it is gone at once."""
        child = self._child
        if child is None:
            return
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        for stream in (child.stdin, child.stdout):
            if stream is not None:
                with suppress(OSError, ValueError):
                    stream.close()
        with suppress(subprocess.TimeoutExpired):
            child.wait(_REAP_SECONDS)
            self._child = None
