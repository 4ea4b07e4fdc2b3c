"""Whether a job started here would outlive the login session, and what to do if not.

A session of its own survives a hang-up, but not a login manager that kills every process of a
user who logs out (`KillUserProcesses=yes` in logind.conf).
"""

from __future__ import annotations

import getpass
import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_LOGIND = (Path("/etc/systemd/logind.conf"), Path("/etc/systemd/logind.conf.d"))
_LINGER = Path("/var/lib/systemd/linger")


_TRIAL = """
import os, psutil, pty, subprocess, sys, time
pid, master = pty.fork()
if pid == 0:
    child = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(20)"], stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )
    print("child", child.pid, flush=True)
    time.sleep(20)
heard = b""
while b"\\n" not in heard:
    heard += os.read(master, 100)
child = int(heard.split()[1])
os.close(master)
os.waitpid(pid, 0)
time.sleep(0.05)
if not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE:
    sys.exit(3)
os.kill(child, 9)
"""
"""Hangs up on a process in a terminal of its own, and looks whether what that started lives on."""
_TRIAL_SECONDS = 15.0
_DIED = 3
"""What the trial exits with where it saw the child dead; no failure of Python itself is that."""


def outlives_hang_up() -> bool | None:
    """Try whether a process in a session of its own outlives the terminal it was started from.

    None where it could not be tried: no terminal is to be had, or no process.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-c", _TRIAL],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TRIAL_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return {0: True, _DIED: False}.get(done.returncode)


@dataclass(frozen=True)
class Survival:
    """Whether detached jobs survive logging out."""

    survives: bool
    reason: str
    cure: str = ""


def check_survival(
    configuration: Iterable[Path] = _LOGIND, linger_directory: Path = _LINGER
) -> Survival:
    """Return whether a detached job survives the end of this login."""
    if not os.environ.get("XDG_SESSION_ID"):
        return Survival(True, "this is not a login session of systemd")
    if not _kills_user_processes(configuration):
        return Survival(True, "logind leaves processes of a user who logs out alone")
    user = getpass.getuser()
    if (linger_directory / user).exists():
        return Survival(True, f"lingering is enabled for {user}")
    return Survival(
        False,
        "KillUserProcesses=yes: logind will kill every process when you log out",
        f"Once: loginctl enable-linger {user}. Then: systemd-run --user --scope temper train …",
    )


def _kills_user_processes(configuration: Iterable[Path]) -> bool:
    answer = False  # logind's own default
    for path in configuration:
        files = sorted(path.glob("*.conf")) if path.is_dir() else [path]
        for file in files:
            try:
                text = file.read_text(encoding="utf-8", errors="replace")
            except OSError:
                continue
            for line in text.splitlines():
                key, equals, value = line.strip().partition("=")
                if equals and key.strip() == "KillUserProcesses":
                    answer = value.strip().lower() in ("yes", "true", "1", "on")
    return answer
