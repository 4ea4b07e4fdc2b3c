"""The directory of indexes: named by what they were made of, bounded, private."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path

LIMIT_BYTES = 5_000_000_000
"""How much indexes may take together; the least recently used go first."""
_LAYOUT = 1
"""Raised when the columns of an index change, so that older ones are made anew."""


def kept_name(path: Path) -> str:
    """Return a name that another content of the same file does not have.

    Raises:
        FileNotFoundError: the file vanished.
    """
    facts = path.stat()
    told = f"{_LAYOUT}\n{path.resolve()}\n{facts.st_size}\n{facts.st_mtime_ns}\n{facts.st_ino}"
    return hashlib.sha256(told.encode()).hexdigest()[:32]


def own_directory(cache: Path) -> None:
    """Make the directory, for its owner alone: indexes hold the beginnings of rows."""
    cache.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    cache.mkdir(mode=0o700, exist_ok=True)


def touch(path: Path) -> None:
    """Mark an index as used now."""
    with suppress(OSError):
        os.utime(path)


def make_room(cache: Path, *, spare: str, limit_bytes: int = LIMIT_BYTES) -> None:
    """Remove the least recently used files until the rest is within the limit."""
    found = []
    for path in cache.iterdir():
        with suppress(OSError):
            facts = path.stat()
            found.append((facts.st_mtime, facts.st_size, path))
    total = sum(size for _, size, _ in found)
    for _, size, path in sorted(found):
        if total <= limit_bytes:
            return
        if not path.name.startswith(spare):
            with suppress(OSError):
                path.unlink()
                total -= size
