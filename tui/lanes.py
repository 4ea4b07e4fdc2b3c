"""Runs `temper` commands side by side, telling which one says what."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path

from workspace.context import note
from workspace.errors import WorkError

_CHECK_SECONDS = 0.5


@dataclass(frozen=True)
class Command:
    """A `temper` command and what it may end with."""

    label: str
    """Names the command in what is printed."""
    arguments: tuple[str, ...]
    expected: frozenset[int] = frozenset({0})
    """Exit codes that are no failure."""

    @property
    def typed(self) -> str:
        """The command as a person would type it."""
        import shlex

        return shlex.join(("temper", *self.arguments))


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    command: Command
    exit_code: int
    output: str
    """What it wrote to stdout."""


@dataclass
class Lanes:
    """Commands of one lane run one after the other; lanes run side by side."""

    directory: Path
    """Where the commands run."""
    check: Callable[[], object] = lambda: None
    """Called twice a second; what it raises stops all commands."""
    _children: list[subprocess.Popen[str]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, *lanes: Sequence[Command]) -> list[Outcome]:
        """Run the lanes and return the outcomes, lane by lane.

        Raises:
            WorkError: a command ended with another exit code than expected; the others are
                stopped.
        """
        at_once = max(1, min(len(lanes), os.cpu_count() or 1))
        with ThreadPoolExecutor(at_once) as pool:
            futures = [pool.submit(self._lane, lane) for lane in lanes]
            try:
                left = {*futures}
                while left:
                    done, left = wait(left, _CHECK_SECONDS, return_when=FIRST_EXCEPTION)
                    for future in done:
                        future.result()
                    self.check()
            except BaseException:
                self._stop_all()
                raise
            return [outcome for future in futures for outcome in future.result()]

    def _lane(self, commands: Sequence[Command]) -> list[Outcome]:
        return [self._run_one(command) for command in commands]

    def _run_one(self, command: Command) -> Outcome:
        note(f"$ {command.typed}")
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", "tui", *command.arguments],
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env={**os.environ, "PYTHONSAFEPATH": "1"},
        )
        with self._lock:
            self._children.append(child)
        output: list[str] = []
        reader = threading.Thread(target=lambda: output.append((child.stdout or sys.stdin).read()))
        reader.start()
        with child:  # its streams are closed at its end
            said = self._tell(command, child)
            reader.join()
            code = child.wait()
        if code not in command.expected:
            raise WorkError(
                f"a step of the demo ended with exit code {code}",
                where=command.typed,
                cause="\n".join(said[-5:]),
                cure=f"Run it yourself in {self.directory} to see more.",
            )
        return Outcome(command, code, "".join(output))

    def _tell(self, command: Command, child: subprocess.Popen[str]) -> list[str]:
        said: list[str] = []
        for line in child.stderr or ():
            text = line.rstrip()
            if text:
                said.append(text)
                note(f"  {command.label:>10} │ {text}")
        return said

    def _stop_all(self) -> None:
        with self._lock:
            for child in self._children:
                if child.poll() is None:
                    child.terminate()
