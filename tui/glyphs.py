"""The characters of the screens, in Unicode and in ASCII: a glyph beside every colour."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple

STATES = {
    "running": "it is training now",
    "queued": "it waits for its turn",
    "finished": "it reached its last step",
    "stopped": "it was asked to stop; `temper resume` goes on",
    "failed": "it ended with an error",
    "lost": "it ended without saying so (killed, or the machine went down)",
    "broken": "its files cannot be read",
}
"""Every state of a run, in words for the help."""

ROLES = {
    "running": "curve",
    "queued": "muted",
    "finished": "good",
    "stopped": "warn",
    "failed": "bad",
    "lost": "warn",
    "broken": "bad",
    "pass": "good",
    "fail": "bad",
    "inconclusive": "warn",
    "invalid": "bad",
    "odd": "bad",
}
"""The colour role of each state and verdict, and of a value that is not finite."""


class Glyphs(NamedTuple):
    """One set of characters."""

    marks: Mapping[str, str]
    """The glyph of each state and verdict."""
    braille: bool
    """Whether curves are drawn with braille dots."""
    ellipsis: str
    dot: str
    """Between two facts on a line."""
    prompt: str
    cursor: str
    """Left of the selected row."""
    axis: str
    """Vertical axis, tick, corner, horizontal axis still to come, horizontal axis done."""
    bars: str
    """Heights of a small curve without braille, lowest first."""
    cells: str
    """Chart cells without braille: empty, lower half, upper half, both."""


UNICODE = Glyphs(
    marks={
        "running": "●",
        "queued": "○",
        "finished": "✓",
        "stopped": "■",
        "failed": "✗",
        "lost": "?",
        "broken": "▲",
        "pass": "✓",
        "fail": "✗",
        "inconclusive": "~",
        "invalid": "!",
        "odd": "×",
    },
    braille=True,
    ellipsis="…",
    dot="·",
    prompt="❯",
    cursor="▌",
    axis="│┤└─━",
    bars="▁▂▃▄▅▆▇█",
    cells=" ▄▀█",
)

ASCII = Glyphs(
    marks={
        "running": "*",
        "queued": ".",
        "finished": "+",
        "stopped": "=",
        "failed": "x",
        "lost": "?",
        "broken": "!",
        "pass": "+",
        "fail": "x",
        "inconclusive": "~",
        "invalid": "!",
        "odd": "N",
    },
    braille=False,
    ellipsis="~",
    dot="|",
    prompt="$",
    cursor=">",
    axis="|++-=",
    bars="_.:|",
    cells=" .':",
)


def choose(environment: Mapping[str, str] = os.environ) -> Glyphs:
    """Return the set the terminal can show.

    ASCII for a terminal known to lack the glyphs (`TERM=dumb`, the Linux console) and for a
    locale that says C or POSIX. Python turns a C locale into C.UTF-8 in `LC_CTYPE`, which says
    nothing of the terminal, so that value gives way to `LANG`. A locale that is not set at all
    (usual in containers) tells nothing either and gets Unicode.
    """
    if environment.get("TERM", "") in ("dumb", "unknown", "linux", "vt100", "vt220"):
        return ASCII
    locale = environment.get("LC_ALL") or environment.get("LC_CTYPE", "")
    if locale in ("", "C.UTF-8", "C.utf8", "UTF-8") and not environment.get("LC_ALL"):
        locale = environment.get("LANG", "")
    named = locale.lower().replace("-", "")
    return UNICODE if not named or "utf8" in named else ASCII
