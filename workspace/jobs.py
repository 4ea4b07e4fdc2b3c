"""Jobs: long commands whose state outlives the terminal, the app and the machine.

`jobs/<id>/job.json` says what was started and how it ended. While a job runs it holds an flock on
`jobs/<id>/lock`, which the kernel frees when the process dies however it dies. So `lost` needs
nobody to write it: the record says running, the lock is free and the process is gone.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Literal, NamedTuple, get_args

from workspace import machine
from workspace.errors import Stopped, TemperError, UsageError, WorkError
from workspace.events import EventLog
from workspace.files import read_json, write_json
from workspace.job_log import logged
from workspace.layout import Workspace, new_id
from workspace.secrets import redact

State = Literal["queued", "running", "finished", "stopped", "failed", "lost"]
_SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
_LOST = "its process is gone without a word (killed, or the machine went down)"
_LOCK_WAIT_SECONDS = 2.0


class JobView(NamedTuple):
    """A job as a reader sees it."""

    id: str
    dir: Path
    kind: str
    state: State
    argv: tuple[str, ...]
    attempt: int
    pid: int | None
    started: float | None
    """Seconds since 1970 at which the last attempt began."""
    ended: float | None
    exit_code: int | None
    error: str | None
    """Why it failed or stopped, in one line."""
    waiting: str | None
    """Its place in the queue for a GPU and whom it waits for, while it is queued for one."""
    result: str | None
    """Path of what it made, relative to the workspace."""


class Job:
    """A running job: where it writes, and whether it was asked to stop."""

    def __init__(self, directory: Path, record: dict[str, Any]) -> None:
        self.dir = directory
        self.id = directory.name
        self.record = record
        self.attempt = int(record["attempt"])
        self.events = EventLog(directory / "events.jsonl", attempt=self.attempt)
        self.log_path = directory / "log.txt"
        self.stop_signal: int | None = None

    @property
    def stop_requested(self) -> bool:
        """Whether a signal asked this job to save and stop."""
        return self.stop_signal is not None

    def result(self, path: Path) -> None:
        """Record what this job is making, as soon as its place is known."""
        root = self.dir.parent.parent
        self.update(result=str(path.relative_to(root) if path.is_relative_to(root) else path))

    def update(self, **fields: Any) -> None:
        """Change fields of `job.json`."""
        self.record.update(fields)
        write_json(self.dir / "job.json", self.record)

    def check_stop(self, *, cure: str = "") -> None:
        """Raise `Stopped` if a signal asked for it."""
        if self.stop_signal is not None:
            raise Stopped(self.stop_signal, cure=cure)


@contextmanager
def run_job(
    workspace: Workspace, kind: str, argv: Sequence[str], *, job_id: str | None = None
) -> Iterator[Job]:
    """Run the body as a job: recorded, locked, stoppable by SIGTERM, SIGHUP and SIGINT.

    Args:
        workspace: where `jobs/` is.
        kind: `train`, `eval`, `curate` …
        argv: the command a person would type to do the same.
        job_id: an existing job (queued, or to be tried again); None makes a new one.

    Raises:
        UsageError: the job is already running.
        Stopped: a signal arrived and the body raised it at a safe point.
    """
    given = os.environ.pop("TEMPER_JOB_ID", None)  # of this job, not of one within it
    job_id = job_id or given or new_id(kind)
    directory = workspace.make(workspace.jobs) / job_id
    directory.mkdir(exist_ok=True, mode=0o700)
    with _held_lock(directory):
        job = Job(directory, _started_record(directory, kind, argv))
        job.update()
        with _stoppable(job), logged(job.log_path):
            try:
                yield job
            except Stopped as stop:
                _end(job, "stopped", stop.exit_code, str(stop))
                raise
            except BaseException as error:
                if not isinstance(error, TemperError):  # the log keeps what the terminal is spared
                    logging.getLogger("temper").exception("unexpected error")
                code = error.exit_code if isinstance(error, TemperError) else 4
                stopped = isinstance(error, KeyboardInterrupt)
                _end(job, "stopped" if stopped else "failed", 130 if stopped else code, str(error))
                raise
        _end(job, "finished", 0, None)


def _started_record(directory: Path, kind: str, argv: Sequence[str]) -> dict[str, Any]:
    path = directory / "job.json"
    before = read_json(path, kind="job record") if path.exists() else {}
    attempt = int(before.get("attempt", 0)) + 1
    return {
        "schema_version": 1,
        "id": directory.name,
        "kind": kind,
        "argv": [redact(argument) for argument in (before.get("argv") or argv)],
        "state": "running",
        "attempt": attempt,
        **machine.own_identity(),
        "created": before.get("created", round(time.time(), 3)),
        "started": round(time.time(), 3),
        "ended": None,
        "exit_code": None,
        "error": None,
        "result": before.get("result"),
    }


def _queued_record(directory: Path, kind: str, argv: Sequence[str]) -> dict[str, Any]:
    path = directory / "job.json"
    before = read_json(path, kind="job record") if path.exists() else {}
    return {
        "schema_version": 1,
        "id": directory.name,
        "kind": kind,
        "argv": [redact(argument) for argument in argv],
        "attempt": 0,
        "created": round(time.time(), 3),
        **before,
        "state": "queued",
        **machine.own_identity(),
    }


def _end(job: Job, state: State, exit_code: int, error: str | None) -> None:
    job.update(
        state=state,
        exit_code=exit_code,
        error=redact(error).split("\n")[0][:500] if error else None,
        ended=round(time.time(), 3),
        waiting=None,
    )


@contextmanager
def _held_lock(directory: Path) -> Iterator[None]:
    """Hold the job's lock. A reader may hold it shared for an instant, so try for a while."""
    with (directory / "lock").open("a+b") as stream:
        deadline = time.monotonic() + _LOCK_WAIT_SECONDS
        while True:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise UsageError(
                        "this job is already running",
                        where=str(directory),
                        cure=f"Watch it with `temper logs {directory.name}`.",
                    ) from None
                time.sleep(0.05)
        yield


@contextmanager
def _stoppable(job: Job) -> Iterator[None]:
    """Let signals ask the job to stop at its next safe point; a second Ctrl-C stops at once.

    A job within a job is asked with it: what came before it began, and what came too late for it.
    """
    before: dict[signal.Signals, Any] = {}
    asking = _Asking(job)
    try:
        for number in _SIGNALS:
            before[number] = signal.signal(number, asking)
    except ValueError:  # not the main thread: whoever runs us there stops us another way
        pass
    known = before.get(signal.SIGTERM)
    outer = known.job if isinstance(known, _Asking) else None
    if outer is not None:
        job.stop_signal = job.stop_signal or outer.stop_signal
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if outer is not None:
            outer.stop_signal = outer.stop_signal or job.stop_signal


class _Asking:
    """What a signal does to a job."""

    def __init__(self, job: Job) -> None:
        self.job = job

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Ask it to stop."""
        if self.job.stop_signal is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.job.stop_signal = number


def read_job(directory: Path) -> JobView:
    """Return a job's record with `lost` computed.

    Raises:
        DataError: the record is missing, half-written by another tool, or not ours.
    """
    record = read_json(directory / "job.json", kind="job record")
    state = _state(directory, record)
    return JobView(
        id=directory.name,
        dir=directory,
        kind=str(record.get("kind", "")),
        state=state,
        argv=tuple(str(argument) for argument in record.get("argv", ())),
        attempt=int(record.get("attempt", 1)),
        pid=record.get("pid"),
        started=record.get("started"),
        ended=record.get("ended"),
        exit_code=record.get("exit_code"),
        error=record.get("error") or (_LOST if state == "lost" else None),
        waiting=record.get("waiting") if state == "queued" else None,
        result=record.get("result"),
    )


def _state(directory: Path, record: dict[str, Any]) -> State:
    written = record.get("state")
    if written == "running":
        return "lost" if _is_dead(directory, record) else "running"
    if written == "queued" and _launch_failed(record):
        return "lost"
    known: tuple[State, ...] = get_args(State)
    return next((state for state in known if state == written), "failed")


def _launch_failed(record: dict[str, Any]) -> bool:
    """Whether the process that was to become this job is gone before it took the lock."""
    if record.get("host") != machine.host() or not record.get("pid"):
        return False
    if record.get("boot_id") != machine.boot_id():
        return True
    return not machine.is_same_process(int(record["pid"]), float(record["process_started"] or 0))


def _is_dead(directory: Path, record: dict[str, Any]) -> bool:
    if record.get("host") != machine.host():
        return False  # another machine's job on a shared disk: only that machine can tell
    if record.get("boot_id") != machine.boot_id():
        return True
    if _lock_is_held(directory):
        return False
    pid, started = record.get("pid"), record.get("process_started")
    return not (pid and started and machine.is_same_process(int(pid), float(started)))


def _lock_is_held(directory: Path) -> bool:
    try:
        with (directory / "lock").open("rb") as stream:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False


def list_jobs(workspace: Workspace) -> list[JobView]:
    """Return all readable jobs, newest first."""
    out = []
    for path in sorted(workspace.jobs.glob("*/job.json"), reverse=True):
        try:
            out.append(read_job(path.parent))
        except TemperError:
            continue
    return out


def stop_job(view: JobView) -> None:
    """Ask a running job to save and stop, or one that waits for a GPU to leave the queue.

    Raises:
        UsageError: it is not running on this machine.
    """
    # Before a detached job begins, its record names the process that started it.
    begun = view.state == "running" or (view.state == "queued" and _lock_is_held(view.dir))
    if not begun or view.pid is None:
        raise UsageError(
            f"this job is {view.state}, not running",
            where=view.id,
            cure="There is nothing to stop; `temper jobs` lists what runs.",
        )
    record = read_json(view.dir / "job.json", kind="job record")
    if record.get("host") != machine.host():
        raise UsageError(
            f"this job runs on {record.get('host')}",
            where=view.id,
            cure="Stop it there: a process number means another process here.",
        )
    if not machine.is_same_process(view.pid, float(record.get("process_started") or 0.0)):
        raise UsageError(
            "the process of this job is gone, but a child of it still holds its lock",
            where=view.id,
            cure="Look for it with: fuser " + str(view.dir / "lock"),
        )
    try:
        os.kill(view.pid, signal.SIGTERM)
    except (ProcessLookupError, PermissionError) as error:
        raise UsageError(
            "this job cannot be signalled from here", where=view.id, cause=f"{error}."
        ) from error


def launch_detached(
    workspace: Workspace,
    kind: str,
    arguments: Sequence[str],
    *,
    job_id: str | None = None,
    wait_seconds: float = 60.0,
) -> str:
    """Start `temper ARGUMENTS` in a session of its own and return the job's id.

    All three standard streams are redirected: a child that keeps the terminal's dies at its
    first print once the terminal is gone. Returns when the job has taken its lock.

    Args:
        workspace: where `jobs/` is.
        kind: of the job.
        arguments: of `temper`.
        job_id: an existing job, to be tried again; None makes a new one.
        wait_seconds: how long it may take to begin.

    Raises:
        UsageError: the existing job is running.
        WorkError: the job ended or did not start in time; its log is named.
    """
    job_id = job_id or new_id(kind)
    directory = workspace.make(workspace.jobs) / job_id
    directory.mkdir(mode=0o700, exist_ok=True)
    with _held_lock(directory):
        record = _queued_record(directory, kind, ("temper", *arguments))
        write_json(directory / "job.json", record)
    with (directory / "log.txt").open("ab") as log:
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", "tui", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, "TEMPER_JOB_ID": job_id, "PYTHONSAFEPATH": "1"},
        )
    deadline = time.monotonic() + wait_seconds
    while time.monotonic() < deadline:
        record = json.loads((directory / "job.json").read_text(encoding="utf-8"))
        if record["state"] != "queued" or record["pid"] != os.getpid():
            return job_id  # it works, or waits for a GPU by itself
        if child.poll() is not None:
            break
        time.sleep(0.05)
    ended = child.poll()
    if ended is not None:
        record.update(state="failed", exit_code=ended, error="it ended before it began to work")
        write_json(directory / "job.json", record)
    raise WorkError(
        "the job did not start",
        where=str(directory / "log.txt"),
        cause=f"It ended with exit code {ended}." if ended is not None else "It is still starting.",
        cure="Read its log.",
    )
