"""Copying, with a receipt: which way the text went, so that nobody pastes something else.

In tmux its own buffer is the way: by default tmux drops what an app sends to the terminal's
clipboard, while `load-buffer -w` passes it on whatever `set-clipboard` says. Elsewhere OSC 52 asks
the terminal, which does not answer. Where neither can be, or the text is longer than terminals
take, it is written to a file.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from workspace.text import plain

MOST_BYTES = 74_000
"""What fits into the 100,000 characters of base64 that terminals take."""
_MOST_LINE = 1 << 20
_TMUX_SECONDS = 3.0
_WITHOUT_CLIPBOARD = ("dumb", "unknown", "linux", "vt100", "vt220", "")


@dataclass(frozen=True)
class Receipt:
    """Where a copied text went."""

    route: Literal["tmux", "osc52", "file", "nowhere"]
    said: str
    """One sentence for a person."""


def inert(text: str) -> str:
    """Return `text` with nothing in it that a terminal or shell would obey when it is pasted."""
    return "\n".join(plain(line, limit=_MOST_LINE) for line in text.splitlines())


def kept_path(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the file that takes what no clipboard can."""
    given = environment.get("XDG_STATE_HOME", "")
    base = Path(given) if Path(given).is_absolute() else Path.home() / ".local" / "state"
    return base / "temper" / "copied.txt"


def carry(
    text: str, environment: Mapping[str, str] = os.environ, *, is_terminal: bool = True
) -> Receipt:
    """Take `text` to tmux or to a file, or say that the terminal is to be asked by OSC 52.

    Waits for tmux: call it from a thread.

    Args:
        text: already inert.
        environment: of the app.
        is_terminal: whether what is written reaches a terminal; not so in a browser.
    """
    size = len(text.encode())
    told = f"{len(text):,} characters"
    if environment.get("TMUX") and (program := shutil.which("tmux")):
        if _tmux(program, text, "-w"):
            rest = "" if size <= MOST_BYTES else " It is too long for the terminal's own clipboard."
            return Receipt("tmux", f"Copied by tmux: {told}; prefix ] pastes.{rest}")
        if _tmux(program, text):
            return Receipt("tmux", f"Copied to tmux alone: {told}; prefix ] pastes.")
    if is_terminal and size <= MOST_BYTES and _takes_osc52(environment):
        return Receipt("osc52", f"Copied by OSC 52: {told}, if your terminal allows it.")
    return _to_file(text, kept_path(environment), told)


def _takes_osc52(environment: Mapping[str, str]) -> bool:
    # GNU screen passes on nothing of it.
    return environment.get("TERM", "") not in _WITHOUT_CLIPBOARD and "STY" not in environment


def _tmux(program: str, text: str, *options: str) -> bool:
    try:
        done = subprocess.run(
            [program, "load-buffer", *options, "-"],
            input=text.encode(),
            capture_output=True,
            timeout=_TMUX_SECONDS,
            start_new_session=True,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _to_file(text: str, path: Path, told: str) -> Receipt:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        new = path.with_suffix(".new")
        new.unlink(missing_ok=True)
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
        new.replace(path)
    except OSError as error:
        return Receipt("nowhere", f"Nothing was copied: {error}.")
    return Receipt("file", f"No clipboard for it here. Written to {path} ({told}).")
