"""What libraries log beside a job's own lines, so written that a reader can tell the two apart.

A job's `log.txt` is what its command prints, and the log records of all libraries. A record that a
library logs below the level of an error begins with its time, level and name; its further lines
begin with `    | `.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from workspace.secrets import redact

_FURTHER = "    | "
_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_OURS = "temper"
"""Our loggers are called this, or begin with it and a dot."""
_FIRST = re.compile(
    rf"\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d,\d{{3}} (?:DEBUG|INFO|WARNING) (?!{_OURS}[.:])"
)


@contextmanager
def logged(path: Path) -> Iterator[None]:
    """Send log records of all libraries to a job's log, secrets removed."""
    handler = _Log(path, encoding="utf-8")
    handler.setFormatter(_Redacting(_FORMAT))
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
        with suppress(OSError):  # what a full disk kept from the log must not hide the reason
            handler.close()


def begins_note(line: str) -> bool:
    """Return whether a line of a log is the first of what a library logged, errors not counted.

    >>> begins_note("2026-11-22 02:09:41,935 WARNING py.warnings: deprecated")
    True
    >>> begins_note("2026-11-22 02:09:41,935 ERROR torch: out of memory")
    False
    """
    return _FIRST.match(line) is not None


def is_note(line: str) -> bool:
    """Return whether a line of a log is one of what a library logged, errors not counted."""
    return line.startswith(_FURTHER) or begins_note(line)


class _Log(logging.FileHandler):
    def handleError(self, record: logging.LogRecord) -> None:
        """Pass over a record that cannot be written: logging would print a traceback instead."""


class _Redacting(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        text = redact(super().format(record))
        if not begins_note(text):
            return text
        # Python's warnings end with a line break of their own.
        return "\n".join(
            line if number == 0 else f"{_FURTHER}{line}"
            for number, line in enumerate(text.rstrip().splitlines())
        )
