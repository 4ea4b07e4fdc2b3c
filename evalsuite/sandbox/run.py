"""Running one program: start, wait, end, and read what it left."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

from evalsuite.sandbox.limits import Limits
from workspace.errors import WorkError

if TYPE_CHECKING:
    from evalsuite.sandbox.tiers import Tier

Ended = Literal["exit", "signal", "cpu_time", "wall_time", "killed", "unavailable"]
_GRACE_SECONDS = 10.0
"""How much longer the launcher may take than the program."""
_PACKAGES = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Program:
    """What to run, by the Python that runs this, without installed packages."""

    files: Mapping[str, str]
    """Name → text of the Python files, all in one directory."""
    main: str
    """Which of them is run."""
    stdin: str = ""
    """What it reads."""
    gives_verdict: bool = False
    """Whether file 3 is open for a verdict."""


@dataclass(frozen=True)
class Outcome:
    """What became of a program. All texts are hostile."""

    ended: Ended
    """`exit`: by itself. `signal`: by one. `cpu_time`, `wall_time`: too long. `killed`: it ended
    the process that watches it. `unavailable`: it was never started."""
    code: int | None
    """Exit status, or the signal's number."""
    stdout: str
    """What it printed, cut at the limit."""
    stderr: str
    """What it printed there, cut at the limit."""
    verdict: str
    """What was written to file 3."""
    detail: str = ""
    """Why it could not be started."""
    stdout_cut: bool = False
    """Whether more was printed than is kept."""


def run(program: Program, limits: Limits, tier: Tier) -> Outcome:
    """Run a program to its end and return what became of it.

    Args:
        program: its files and what it reads.
        limits: what it may use.
        tier: how it is kept apart.

    Raises:
        WorkError: no process can be started here.
    """
    with (
        tempfile.TemporaryDirectory(prefix="temper-sandbox-") as root,
        tempfile.TemporaryFile() as spec,
        tempfile.TemporaryFile() as status,
        tempfile.TemporaryFile() as verdict,
        tempfile.TemporaryFile() as stdin,
        tempfile.TemporaryFile() as stdout,
        tempfile.TemporaryFile() as stderr,
    ):
        stdin.write(program.stdin.encode("utf-8", "replace"))
        stdin.seek(0)
        spec.write(json.dumps(_spec(program, limits, tier, root, verdict)).encode())
        spec.seek(0)
        passed = [spec, status, *([verdict] if program.gives_verdict else [])]
        _launch(passed, (stdin, stdout, stderr), limits.wall_seconds)
        told = json.loads(_read(status, 10_000) or '{"ended": "killed"}')
        printed = _read(stdout, limits.output_characters)
        return Outcome(
            ended=told["ended"],
            code=told.get("code"),
            stdout=printed,
            stderr=_read(stderr, limits.output_characters),
            verdict=_read(verdict, limits.file_bytes),
            detail=told.get("detail", ""),
            stdout_cut=os.fstat(stdout.fileno()).st_size > 4 * limits.output_characters
            or len(printed) >= limits.output_characters > 0,
        )


def _spec(
    program: Program, limits: Limits, tier: Tier, root: str, verdict: IO[bytes]
) -> dict[str, Any]:
    from evalsuite.sandbox.tiers import Tier

    isolated = tier is Tier.NAMESPACES
    return {
        "isolated": isolated,
        "root": root,
        "files": dict(program.files),
        "main": program.main,
        # The interpreter itself: a virtual environment's is a link with packages beside it.
        "python": str(Path(sys.executable).resolve()),
        "python_home": str(Path(sys.base_prefix).resolve()),
        "wall_seconds": limits.wall_seconds,
        "cpu_seconds": limits.cpu_seconds,
        "memory_bytes": limits.memory_bytes,
        "file_bytes": limits.file_bytes,
        "processes": limits.processes,
        "processes_of_user": 0 if isolated else _running() + limits.processes,
        "verdict_file": verdict.fileno() if program.gives_verdict else None,
    }


def _running() -> int:
    """Return how many threads this user has, which count against its limit of processes."""
    import psutil

    user, found = os.getuid(), 0
    for process in psutil.process_iter(["uids", "num_threads"]):
        uids = process.info["uids"]
        if uids is not None and uids.real == user:
            found += process.info["num_threads"] or 1
    return found


def _launch(
    passed: Sequence[IO[bytes]], streams: tuple[IO[bytes], IO[bytes], IO[bytes]], seconds: float
) -> None:
    numbers = [one.fileno() for one in passed]
    stdin, stdout, stderr = streams
    try:
        launcher = subprocess.Popen(
            [sys.executable, "-P", "-S", "-B", "-m", "evalsuite.sandbox.launcher"]
            + [str(number) for number in numbers[:2]],
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            pass_fds=numbers,
            env={"PYTHONPATH": str(_PACKAGES), "LANG": "C.UTF-8"},
            cwd="/",
            start_new_session=True,
        )
    except OSError as error:
        raise WorkError(
            "no sandbox can be started",
            where="sandbox",
            cause=str(error),
            cure="Free memory or processes and do the same again.",
        ) from error
    try:
        with contextlib.suppress(subprocess.TimeoutExpired):  # stopped by the program, or starved
            launcher.wait(seconds + _GRACE_SECONDS)
    finally:
        _end(launcher)


def _end(launcher: subprocess.Popen[bytes]) -> None:
    if launcher.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(launcher.pid, signal.SIGKILL)
        launcher.wait()


def _read(stream: IO[bytes], characters: int) -> str:
    stream.seek(0)
    return stream.read(4 * characters).decode("utf-8", "replace")[:characters]
