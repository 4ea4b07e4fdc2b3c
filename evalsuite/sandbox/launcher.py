"""The process between us and a program: sets limits, starts it, ends it, says what became of it.

`python -m evalsuite.sandbox.launcher SPEC STATUS`, two open files: what to do as JSON, and where
the outcome goes. Standard library only. Starts no thread, since it forks.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import time
from pathlib import Path
from typing import Any

_PR_SET_CHILD_SUBREAPER = 36
_POLL_SECONDS = 0.005
_VERDICT = 3
"""The file on which a harness writes its verdict."""
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "PYTHONHASHSEED": "0"}


def main(spec_file: int, status_file: int) -> None:
    """Run what the spec says."""
    for one in (spec_file, status_file):
        os.set_inheritable(one, False)
    with os.fdopen(spec_file, "rb") as stream:
        spec = json.load(stream)
    try:
        found = _isolated(spec) if spec["isolated"] else _limited(spec)
    except OSError as error:
        found = {"ended": "unavailable", "detail": str(error)}
    with os.fdopen(status_file, "w") as stream:
        json.dump(found, stream)


def _isolated(spec: dict[str, Any]) -> dict[str, Any]:
    """Run in namespaces: the first process of them waits, so that its end is the end of all."""
    from evalsuite.sandbox import namespaces

    user = namespaces.separate()
    read, write = os.pipe()
    first = os.fork()
    if first == 0:
        told: dict[str, Any] = {"ended": "unavailable", "detail": "the first process failed"}
        try:
            namespaces.die_with_parent()
            namespaces.hide_memory()
            namespaces.change_root(
                spec["root"], spec["python_home"], spec["files"], spec["file_bytes"]
            )
            told = _first(spec, user)
        except BaseException as error:
            told["detail"] = str(error)
        finally:
            os.write(write, json.dumps(told).encode())
            os._exit(0)
    os.close(write)
    if not _wait(first, spec["wall_seconds"]):
        os.kill(first, signal.SIGKILL)
        os.waitpid(first, 0)
        return {"ended": "wall_time"}
    with os.fdopen(read, "rb") as stream:
        said = stream.read()
    return dict(json.loads(said)) if said else {"ended": "killed"}


def _first(spec: dict[str, Any], user: int) -> dict[str, Any]:
    from evalsuite.sandbox import namespaces

    program = os.fork()
    if program == 0:
        try:
            # This and the launcher are counted with the program where all have one user.
            _set_limits(spec, spec["processes"] + (0 if user else 2))
            namespaces.drop_rights(user)
            _become(spec, "/code")
        finally:
            os._exit(127)
    while True:
        pid, status = os.wait()
        if pid == program:
            return _told(status, spec["cpu_seconds"])


def _limited(spec: dict[str, Any]) -> dict[str, Any]:
    """Run under limits alone."""
    _adopt_orphans()
    code = Path(spec["root"], "code")
    box = Path(spec["root"], "box")
    code.mkdir()
    box.mkdir()
    for name, text in spec["files"].items():
        (code / name).write_text(text, encoding="utf-8")
    program = os.fork()
    if program == 0:
        try:
            os.setpgid(0, 0)
            os.chdir(box)
            _set_limits(spec, None)
            _become(spec, str(code))
        finally:
            os._exit(127)
    ended = _wait_status(program, spec["wall_seconds"])
    _kill_all(program)
    return {"ended": "wall_time"} if ended is None else _told(ended, spec["cpu_seconds"])


def _adopt_orphans() -> None:
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _kill_all(group: int) -> None:
    """Kill the program's group, and then every child that is left, until there is none."""
    while True:
        _kill(-group)
        for child in _children():
            _kill(child)
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                time.sleep(_POLL_SECONDS)
        except ChildProcessError:
            return


def _children() -> list[int]:
    try:
        listed = Path(f"/proc/self/task/{os.getpid()}/children").read_text()
    except OSError:
        return []
    return [int(one) for one in listed.split()]


def _kill(target: int) -> None:
    try:
        os.kill(target, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def _set_limits(spec: dict[str, Any], processes: int | None) -> None:
    wanted = {
        "RLIMIT_CORE": 0,
        "RLIMIT_CPU": spec["cpu_seconds"],
        "RLIMIT_FSIZE": spec["file_bytes"],
        "RLIMIT_NOFILE": 64,
        "RLIMIT_AS": spec["memory_bytes"],
        "RLIMIT_MSGQUEUE": 0,
        "RLIMIT_MEMLOCK": 0,
        # Without a user namespace all processes of the user are counted.
        "RLIMIT_NPROC": processes if processes is not None else spec["processes_of_user"],
    }
    for name, value in wanted.items():
        if hasattr(resource, name):
            kind = getattr(resource, name)
            hard = resource.getrlimit(kind)[1]
            low = value if hard == resource.RLIM_INFINITY else min(value, hard)
            # Both at once: at the lower of two the processor's limit only warns.
            resource.setrlimit(kind, (low, low))


def _become(spec: dict[str, Any], code: str) -> None:
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    if spec["verdict_file"] is not None:
        # Its own number is passed on otherwise, and may lie beyond what is closed below.
        os.set_inheritable(spec["verdict_file"], False)
        os.dup2(spec["verdict_file"], _VERDICT)
        os.set_inheritable(_VERDICT, True)
    os.closerange(_VERDICT + (spec["verdict_file"] is not None), 256)
    python = spec["python"]
    arguments = [python, "-I", "-S", "-B", "-X", "utf8", f"{code}/{spec['main']}"]
    os.execve(python, arguments, _ENVIRONMENT)


def _wait(pid: int, seconds: float) -> bool:
    return _wait_status(pid, seconds) is not None


def _wait_status(pid: int, seconds: float) -> int | None:
    """Return a child's status, or None if it still runs after so long."""
    end, pause = time.monotonic() + seconds, _POLL_SECONDS / 5
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return status
        if time.monotonic() > end:
            return None
        time.sleep(pause)
        pause = min(pause * 1.3, _POLL_SECONDS * 4)


def _told(status: int, cpu_seconds: int) -> dict[str, Any]:
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        # The kernel's end for who has no memory left is the same signal.
        late = number == signal.SIGKILL and used.ru_utime + used.ru_stime > 0.9 * cpu_seconds
        return {"ended": "cpu_time" if late else "signal", "code": number}
    return {"ended": "exit", "code": os.WEXITSTATUS(status)}


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
