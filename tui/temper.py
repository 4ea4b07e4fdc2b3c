"""Runs `temper` commands for the app: what it does, anyone can type."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from workspace.text import plain

TOO_LATE = 124
"""The exit code of a command that was killed at its deadline."""
_LOOK_SECONDS = 0.1


class Outcome(NamedTuple):
    """How a command ended."""

    arguments: tuple[str, ...]
    code: int
    output: str
    """Its standard output."""
    said: str
    """Its standard error, made plain."""

    @property
    def command(self) -> str:
        """The command as it can be typed."""
        return typed(self.arguments)


def typed(arguments: Sequence[str]) -> str:
    """Return `temper ARGUMENTS` as it can be typed into a shell."""
    return shlex.join(["temper", *arguments])


def run_temper(
    arguments: Sequence[str],
    directory: Path,
    *,
    deadline_seconds: float | None = None,
    is_unwanted: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Run a command in `directory` and wait for it; call it from a thread.

    It runs in a session of its own, so that it ends by itself where the terminal goes away;
    what takes long is started with `--detach` and gives its job's id at once.

    Args:
        arguments: of `temper`.
        directory: where it runs.
        deadline_seconds: after which it is killed; the exit code is then 124.
        is_unwanted: asked now and then; once true it is killed too.
    """
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "tui", *arguments],
        cwd=directory,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
        env={**os.environ, "PYTHONSAFEPATH": "1"},
    ) as child:
        began, code = time.monotonic(), None
        while True:
            try:
                output, said = child.communicate(timeout=_LOOK_SECONDS)
                break
            except subprocess.TimeoutExpired:
                spent = time.monotonic() - began
                if is_unwanted() or (deadline_seconds is not None and spent > deadline_seconds):
                    code = TOO_LATE
                    with suppress(ProcessLookupError):
                        os.killpg(child.pid, signal.SIGKILL)
    told = "\n".join(plain(line, limit=2000) for line in said.splitlines())
    return Outcome(tuple(arguments), child.returncode if code is None else code, output, told)
