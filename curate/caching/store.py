"""A bounded directory of results, each under a name that holds what it depends on.

An entry is a directory with a manifest of its files and their SHA-256, renamed into place when it
is whole. What is fetched is linked into the work directory of the run and checked there, so that an
entry that another run removes, replaces or damages meanwhile harms nobody: it is computed again.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from workspace.files import hash_file

DEFAULT_LIMIT_BYTES = 10_000_000_000
"""How large the cache of a workspace may grow where nothing else was said."""
_MANIFEST = "manifest.json"
_LIMIT = "limit.json"
_HALF_MADE, _REMOVED = ".tmp-", ".removed-"
_ABANDONED_SECONDS = 24 * 3600.0


@dataclass(frozen=True)
class Held:
    """What a cache holds."""

    entries: int
    size_bytes: int
    limit_bytes: int


def key_of(kind: str, *parts: object) -> str:
    """Return the name of what depends on these parts: `kind-` and 32 hexadecimal digits.

    Args:
        kind: what it is.
        parts: anything that JSON can say.
    """
    told = json.dumps(parts, sort_keys=True, ensure_ascii=True)
    return f"{kind}-{hashlib.sha256(told.encode()).hexdigest()[:32]}"


class Store:
    """Entries below one directory; the least recently used go when it grows over its limit."""

    def __init__(self, root: Path, limit_bytes: int | None = None) -> None:
        """Use a directory, which need not be there yet; None reads its own limit."""
        self.root = root
        self.damaged: list[str] = []
        """Names of the entries that were not what they had been when they were written."""
        self._limit = limit_bytes

    @property
    def limit_bytes(self) -> int:
        """The most bytes that entries may take together."""
        if self._limit is not None:
            return self._limit
        try:
            return int(json.loads((self.root / _LIMIT).read_bytes())["limit_bytes"])
        except (OSError, ValueError, KeyError, TypeError):
            return DEFAULT_LIMIT_BYTES

    def set_limit(self, limit_bytes: int) -> None:
        """Keep another limit, and remove what is over it.

        Raises:
            OSError: the directory cannot be written.
        """
        self._make_root()
        text = json.dumps({"schema_version": 1, "limit_bytes": limit_bytes})
        temporary = self.root / f"{_HALF_MADE}{_LIMIT}-{os.getpid()}"
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(self.root / _LIMIT)
        self._limit = None
        self.shrink()

    def fetch(self, key: str, into: Path) -> Path | None:
        """Link the files of an entry to a directory below `into`, or return None.

        None: it is not there, or it is not what was written; then it is removed.
        """
        for last in (False, True):
            try:
                return self._linked(self.root / key, into)
            except FileNotFoundError:
                if not (self.root / key).is_dir():
                    return None
                if last:  # the first time another run may have just replaced it
                    self._remove_damaged(key)
            except (OSError, ValueError, KeyError, TypeError, AttributeError):
                self._remove_damaged(key)
                return None
        return None

    def _linked(self, entry: Path, into: Path) -> Path:
        """Return a directory with the files of an entry, each found to be what was written."""
        manifest = json.loads((entry / _MANIFEST).read_bytes())
        here = Path(tempfile.mkdtemp(dir=into, prefix=f"{entry.name[:24]}-"))
        for name, facts in manifest["files"].items():
            link_or_copy(entry / Path(name).name, here / Path(name).name)
            if hash_file(here / Path(name).name) != facts["sha256"]:
                raise ValueError(name)
        os.utime(entry / _MANIFEST)
        return here

    def put(self, key: str, write: Callable[[Path], None]) -> None:
        """Add an entry with the files that `write` makes in the directory it is given.

        Raises:
            OSError: the directory cannot be written. What `write` raises is passed on.
        """
        self._make_root()
        temporary = Path(tempfile.mkdtemp(dir=self.root, prefix=_HALF_MADE))
        try:
            write(temporary)
            files = sorted(temporary.iterdir())
            total = sum(file.stat().st_size for file in files)
            facts = {
                file.name: {"bytes": file.stat().st_size, "sha256": hash_file(file)}
                for file in files
            }
            text = json.dumps({"schema_version": 1, "bytes": total, "files": facts})
            (temporary / _MANIFEST).write_text(text, encoding="utf-8")
            if total <= self.limit_bytes:
                with suppress(OSError):  # another run was first with the same
                    temporary.rename(self.root / key)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        self.shrink(spare=key)

    def held(self) -> Held:
        """Return what is there."""
        found = self._entries()
        return Held(len(found), sum(size for _, size, _ in found), self.limit_bytes)

    def shrink(self, *, spare: str = "") -> None:
        """Remove the least recently used entries until the rest is within the limit."""
        found = sorted(self._entries())
        total = sum(size for _, size, _ in found)
        for _, size, path in found:
            if total <= self.limit_bytes:
                break
            if path.name != spare:
                self._remove(path)
                total -= size
        self._sweep(_ABANDONED_SECONDS)

    def clear(self) -> Held:
        """Remove every entry; return what was there. Runs that use some go on unharmed."""
        before = self.held()
        for _, _, path in self._entries():
            self._remove(path)
        self._sweep(_ABANDONED_SECONDS / 24)
        return before

    def discard(self, key: str) -> None:
        """Remove an entry that turned out to be of no use, and count it as damaged."""
        self._remove_damaged(key)

    def _entries(self) -> list[tuple[float, int, Path]]:
        """Return (last used, bytes, path) of each entry."""
        found = []
        for path in self.root.glob("[!.]*-*"):
            with suppress(OSError, ValueError):
                used = (path / _MANIFEST).stat().st_mtime
                size = sum(file.stat().st_size for file in path.iterdir())
                found.append((used, size, path))
        return found

    def _make_root(self) -> None:
        # Each level by itself: parents made on the way would be open to everybody.
        self.root.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.root.mkdir(mode=0o700, exist_ok=True)

    def _remove_damaged(self, key: str) -> None:
        self.damaged.append(key)
        self._remove(self.root / key)

    def _remove(self, path: Path) -> None:
        """Take an entry away whole: nobody sees a part of it."""
        aside = self.root / f"{_REMOVED}{os.getpid()}-{time.monotonic_ns()}"
        with suppress(OSError):
            path.rename(aside)
            shutil.rmtree(aside, ignore_errors=True)

    def _sweep(self, older_than_seconds: float) -> None:
        """Remove what runs that were killed left half made."""
        for path in (*self.root.glob(f"{_HALF_MADE}*"), *self.root.glob(f"{_REMOVED}*")):
            with suppress(OSError):
                if time.time() - path.stat().st_mtime > older_than_seconds:
                    shutil.rmtree(path) if path.is_dir() else path.unlink()


def link_or_copy(source: Path, target: Path) -> None:
    """Give a file, which nobody will change, a second name; copy it to another disk."""
    try:
        target.hardlink_to(source)
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copyfile(source, target)
