"""What the terminal can do and where it will disappoint: colours, Escape, clipboard, the line."""

from __future__ import annotations

import os
import re
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping

from tui.findings import Finding

Ask = Callable[[list[str]], str]
"""Runs a quick command and returns what it printed; empty where it fails."""

_SLOW_ESCAPE_MILLISECONDS = 100
_SLOW_LINE_MILLISECONDS = 150
_ANSWER_SECONDS = 1.5
_TMUX_WITH_CLIPBOARD = (3, 2)
_CURSOR = re.compile(rb"\x1b\[\d+;\d+R")


def ask_command(command: list[str]) -> str:
    """Run a quick command; empty where it fails or takes more than two seconds."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=2, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "replace").strip() if done.returncode == 0 else ""


def examine_terminal(environment: Mapping[str, str], ask: Ask = ask_command) -> Iterator[Finding]:
    """Look at everything that can be told from the environment and by asking tmux."""
    yield _size(environment)
    yield _colours(environment)
    yield _escape(environment, ask)
    yield _clipboard(environment, ask)
    yield _line(environment)


def _size(environment: Mapping[str, str]) -> Finding:
    size = shutil.get_terminal_size()
    small = size.columns < 80 or size.lines < 24
    return Finding(
        "warn" if small else "ok",
        "terminal",
        f"{environment.get('TERM', 'unknown')}, {size.columns}x{size.lines}",
        "The app is made for 80x24 and more." if small else "",
    )


def _colours(environment: Mapping[str, str]) -> Finding:
    if environment.get("NO_COLOR"):
        return Finding("ok", "colours", "none, for NO_COLOR is set: glyphs tell the states")
    if environment.get("COLORTERM", "").lower() in ("truecolor", "24bit"):
        return Finding("ok", "colours", "16 million (COLORTERM says so): the ramp is smooth")
    if "256color" in environment.get("TERM", ""):
        return Finding(
            "ok", "colours", "256: the ramp has steps",
            "If this terminal has more: export COLORTERM=truecolor",
        )  # fmt: skip
    return Finding(
        "warn", "colours", f"16, by TERM={environment.get('TERM', '')}",
        "If this terminal has more: export TERM=xterm-256color (in tmux: tmux-256color)",
    )  # fmt: skip


def _escape(environment: Mapping[str, str], ask: Ask) -> Finding:
    if environment.get("TMUX"):
        waits = ask(["tmux", "show", "-sv", "escape-time"])
        milliseconds = int(waits) if waits.isdecimal() else 0
        if milliseconds > _SLOW_ESCAPE_MILLISECONDS:
            return Finding(
                "warn", "escape", f"tmux holds Escape back for {milliseconds} ms",
                "In ~/.tmux.conf: set -sg escape-time 10",
            )  # fmt: skip
    own = environment.get("ESCDELAY", "100")
    return Finding("ok", "escape", f"known after {own} ms")


def _clipboard(environment: Mapping[str, str], ask: Ask) -> Finding:
    if environment.get("TMUX"):
        version = re.search(r"(\d+)\.(\d+)", ask(["tmux", "-V"]))
        numbers = (int(version[1]), int(version[2])) if version else (0, 0)
        if numbers >= _TMUX_WITH_CLIPBOARD:
            return Finding("ok", "clipboard", "by tmux (load-buffer -w), whatever set-clipboard is")
        return Finding(
            "warn", "clipboard", "this tmux is too old to hand a copy on",
            "tmux 3.2 or newer; until then what is copied is in a file",
        )  # fmt: skip
    if environment.get("TERM", "").startswith(("screen", "linux", "dumb", "vt")):
        return Finding(
            "warn", "clipboard", "this terminal passes no copy on",
            "What is copied is in a file; tmux hands copies on.",
        )  # fmt: skip
    return Finding(
        "ok", "clipboard", "by OSC 52, which the terminal may refuse without a word",
        "If nothing arrives: allow it in the terminal's settings, or use tmux.",
    )  # fmt: skip


def _line(environment: Mapping[str, str]) -> Finding:
    if not environment.get("SSH_CONNECTION"):
        return Finding("ok", "line", "on this machine")
    return Finding(
        "ok", "line", "over SSH; whether it is compressed only your side knows",
        "ssh -C HOST, or `Compression yes` in ~/.ssh/config: far fewer bytes",
    )  # fmt: skip


def round_trip(descriptor_in: int, descriptor_out: int) -> float | None:
    """Return the seconds until the terminal says where its cursor is; None without an answer."""
    import termios
    import tty

    before = termios.tcgetattr(descriptor_in)
    try:
        tty.setcbreak(descriptor_in)
        began, answer = time.monotonic(), b""
        os.write(descriptor_out, b"\x1b[6n")
        while not _CURSOR.search(answer):
            left = began + _ANSWER_SECONDS - time.monotonic()
            if left <= 0 or not select.select([descriptor_in], [], [], left)[0]:
                return None
            answer += os.read(descriptor_in, 64)
        return time.monotonic() - began
    finally:
        termios.tcsetattr(descriptor_in, termios.TCSANOW, before)


def examine_round_trip() -> Finding:
    """Measure how long the terminal takes to answer."""
    seconds = round_trip(sys.stdin.fileno(), sys.stdout.fileno())
    if seconds is None:
        return Finding("warn", "round trip", "the terminal does not say where its cursor is")
    milliseconds = seconds * 1000
    is_slow = milliseconds > _SLOW_LINE_MILLISECONDS
    return Finding(
        "warn" if is_slow else "ok",
        "round trip",
        f"{milliseconds:.0f} ms to the terminal and back",
        "Keys answer that much later; ssh -C, or mosh, which echoes at once." if is_slow else "",
    )
