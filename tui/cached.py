"""A file of each of many directories, parsed again only when it changed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

from tui.records import UnreadableRecord
from workspace.errors import TemperError

T = TypeVar("T")

Signature = tuple[int, int, int] | None
"""Modification time in nanoseconds, size and inode of a file; None where there is none."""


class Entry(NamedTuple, Generic[T]):
    """What a file holds, or why that cannot be said."""

    signature: Signature
    value: T | None
    reason: str = ""


class CachedFiles(Generic[T]):
    """Remembers `parse(directory)` for every directory until its file changes.

    The newest directories are looked at every time, the older ones in turns: with a thousand
    runs a look costs a hundred and some calls, and an old run that is resumed is seen some
    seconds later. What was never seen is read some hundred at a time, the newest first, so that
    ten thousand runs do not hold up the first screen.
    """

    NEWEST = 64
    TURNS = 8
    MOST_PER_LOOK = 512

    def __init__(
        self,
        filename: str,
        parse: Callable[[Path], T],
        *,
        volatile: Callable[[T], bool] | None = None,
        older_per_look: int = MOST_PER_LOOK,
    ) -> None:
        """Remember.

        Args:
            filename: the file in each directory.
            parse: reads it, given the directory; may raise.
            volatile: says of a value whether it depends on more than the file and must be made
                anew each time (a job that runs may be lost without a trace in its file).
            older_per_look: how many of the older directories are looked at, at most; few where a
                file is written once.
        """
        self._filename = filename
        self._parse = parse
        self._volatile = volatile
        self._older_per_look = older_per_look
        self._entries: dict[str, Entry[T]] = {}
        self._directories: Sequence[str] = ()
        self._unsteady: list[str] = []
        self._turn = 0
        self.pending = False
        """There are directories that were not read yet."""
        self.parsed_count = 0
        """How many files were read so far."""
        self.looked_at_count = 0
        """How many modification times were asked for so far."""

    def get_all(self, directories: Sequence[str]) -> dict[str, Entry[T]]:
        """Return the entry of each directory and forget those that are gone.

        The same dictionary is returned while nothing changed.

        Args:
            directories: paths, the oldest first.
        """
        self._turn += 1
        if directories is self._directories and not self.pending:
            self._look_again(directories)
            return self._entries
        new = [directory for directory in directories if directory not in self._entries]
        left = set(new[: -self.MOST_PER_LOOK])
        due = set(self._due(directories))
        entries = {
            directory: self._get(directory, due=directory in due)
            for directory in directories
            if directory not in left
        }
        self._directories, self.pending = directories, bool(left)
        if entries != self._entries:
            self._entries = entries
        self._unsteady = self._find_unsteady()
        return self._entries

    def _look_again(self, directories: Sequence[str]) -> None:
        """Look at what is due of the same directories as before."""
        entries, filename = self._entries, self._filename
        due = self._due(directories)
        self.looked_at_count += len(due)
        moved = [one for one in due if signature(f"{one}/{filename}") != entries[one].signature]
        changed = {}
        for directory in {*moved, *self._unsteady}:
            entry = self._get(directory, due=True)
            if entry is not entries[directory]:
                changed[directory] = entry
        if changed:
            self._entries = {**self._entries, **changed}
            self._unsteady = self._find_unsteady()

    def _due(self, directories: Sequence[str]) -> Sequence[str]:
        """Return the newest directories and, in turns, some of the others."""
        older = max(0, len(directories) - self.NEWEST)
        turns = max(self.TURNS, -(-older // self._older_per_look))
        return [*directories[older:], *directories[self._turn % turns : older : turns]]

    def _find_unsteady(self) -> list[str]:
        """Return the directories whose value depends on more than the file."""
        if self._volatile is None:
            return []
        return [
            directory
            for directory, entry in self._entries.items()
            if entry.value is not None and self._volatile(entry.value)
        ]

    def _get(self, directory: str, *, due: bool) -> Entry[T]:
        known = self._entries.get(directory)
        if known is None:
            return self._read(directory, self._look(directory))
        is_volatile = (
            self._volatile is not None and known.value is not None and self._volatile(known.value)
        )
        if not due and not is_volatile:
            return known
        seen = self._look(directory)
        if known.signature == seen and not is_volatile:
            return known
        entry = self._read(directory, seen)
        return known if entry == known else entry

    def _look(self, directory: str) -> Signature:
        self.looked_at_count += 1
        return signature(f"{directory}/{self._filename}")

    def _read(self, directory: str, seen: Signature) -> Entry[T]:
        self.parsed_count += 1
        try:
            return Entry(seen, self._parse(Path(directory)))
        except UnreadableRecord as error:
            return Entry(seen, None, str(error))
        except TemperError as error:
            return Entry(seen, None, f"{error.title}. {error.cause}".strip())
        except (OSError, ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
            # A file of a shape nobody foresaw is one broken row, never the end of the screen.
            return Entry(seen, None, f"{self._filename} cannot be understood: {error!r}.")


class Listing:
    """The visible directories in a directory, listed anew when its modification time moved."""

    SURE_AFTER_SECONDS = 2.0
    """A change in the very tick of the last one leaves no trace in the time."""

    def __init__(self, parent: Path) -> None:
        self._parent = str(parent)
        self._signature: Signature = None
        self._names: list[str] = []

    def get(self) -> list[str]:
        """Return full paths, sorted; none where the directory is missing or unreadable."""
        seen = signature(self._parent)
        if seen is None:
            self._names = []
        elif seen != self._signature or time.time() - seen[0] / 1e9 < self.SURE_AFTER_SECONDS:
            self._names = self._list()
        self._signature = seen
        return self._names

    def _list(self) -> list[str]:
        try:
            with os.scandir(self._parent) as entries:
                return sorted(
                    item.path for item in entries if item.name[0] != "." and item.is_dir()
                )
        except OSError:
            return []


def signature(path: str) -> Signature:
    """Return what changes when a file is replaced or written."""
    try:
        status = os.stat(path)  # noqa: PTH116  (a Path for each file costs more than the call)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
