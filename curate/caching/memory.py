"""What one curation asks of the cache, and what it got from there."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import polars as pl

from curate.caching.arrays import load_arrays, save_arrays
from curate.caching.code import code_version
from curate.caching.store import Store, key_of, link_or_copy

T = TypeVar("T")
Tell = Callable[[str], None]
_FILE = "rows.parquet"


class Memory:
    """The cache as one run sees it; without a store everything is computed and nothing kept."""

    def __init__(self, store: Store | None, work: Path, tell: Tell = lambda text: None) -> None:
        """Take what the run works with.

        Args:
            store: the cache; None: there is none.
            work: directory of the run, to which entries are linked.
            tell: told what comes from the cache.
        """
        self.store = store
        self.tell = tell
        self.base_key: str | None = None
        """Name of what all rows are now; None: it is not known, so nothing hangs on it."""
        self.recalled: list[str] = []
        """The stages that were not computed again, in their order."""
        self.said: list[str] = []
        """What steps say of this run, such as how much they took from caches of their own."""
        self.trouble = ""
        """Why results could not be kept, if they could not."""
        self._links = work / "from-cache"

    def key(self, kind: str, *parts: object) -> str | None:
        """Return the name of a result of these parts and of this code; None without a cache."""
        return key_of(kind, code_version(), *parts) if self.store is not None else None

    def of_base(self, kind: str, *parts: object) -> str | None:
        """Return the name of a result that depends on all rows and on these parts."""
        return None if self.base_key is None else self.key(kind, self.base_key, *parts)

    def remembered(
        self,
        stage: str,
        key: str | None,
        compute: Callable[[], T],
        save: Callable[[Path, T], None],
        load: Callable[[Path], T],
    ) -> T:
        """Return a result from the cache, or compute it and keep it there.

        Args:
            stage: what a person calls it.
            key: name of the entry; None: it is computed in any case.
            compute: makes it.
            save: writes it to a directory.
            load: reads it from there.
        """
        found = self.recall(stage, key, load)
        if found is not None:
            return found
        value = compute()
        self.keep(key, lambda directory: save(directory, value))
        return value

    def remembered_file(self, stage: str, key: str | None, compute: Callable[[], Path]) -> Path:
        """Return a file from the cache, or make it and keep it there."""
        return self.remembered(
            stage,
            key,
            compute,
            lambda directory, file: link_or_copy(file, directory / _FILE),
            lambda directory: (directory / _FILE).resolve(strict=True),
        )

    def recall(self, stage: str, key: str | None, load: Callable[[Path], T]) -> T | None:
        """Return a result from the cache, or None."""
        if self.store is None or key is None:
            return None
        self._links.mkdir(exist_ok=True)
        here = self.store.fetch(key, self._links)
        if here is None:
            return None
        try:
            value = load(here)
        except Exception:  # whole, but not what this version writes: computed again, and counted
            shutil.rmtree(here, ignore_errors=True)
            self.store.discard(key)
            return None
        self.recalled.append(stage)
        self.tell(f"{stage}: from cache")
        return value

    def keep(self, key: str | None, save: Callable[[Path], None]) -> None:
        """Add a result; a disk that refuses costs the entry, not the run."""
        if self.store is None or key is None:
            return
        try:
            self.store.put(key, save)
        except (OSError, pl.exceptions.PolarsError) as error:
            self.trouble = f"{type(error).__name__}: {error}"

    def shared(self, name: str, kind: type[T], compute: Callable[[], T]) -> T:
        """Return what steps share about all rows: a dataclass of arrays."""
        found: T = self.remembered(
            name,
            self.of_base("shared", name),
            compute,
            save_arrays,
            lambda directory: load_arrays(directory, kind),
        )
        return found

    def notes(self) -> tuple[str, ...]:
        """Return what a person should know of the cache, one sentence each."""
        said = list(self.said)
        if self.recalled:
            said.append(f"From the cache: {', '.join(dict.fromkeys(self.recalled))}.")
        if self.store is not None and self.store.damaged:
            said.append(
                f"Damaged entries of the cache, computed again: {len(self.store.damaged):,}."
            )
        if self.trouble:
            said.append(f"WARNING: results could not be kept in the cache: {self.trouble}")
        return tuple(said)
