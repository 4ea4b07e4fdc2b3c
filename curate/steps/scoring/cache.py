"""Scores on disk: what was computed once is looked up, whatever thresholds are asked for.

One SQLite file for each fingerprint of everything that decides a number (kind, settings that
matter, model digest, dataset type); in it one line for each content of a row. Deleting the files
loses nothing but time, except a judge's paid replies, which lie beside them.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from curate.steps.scoring.base import Measured
from workspace.errors import DataError, WorkError
from workspace.files import telling_disk_errors

_WAIT_SECONDS = 60.0
_ASKED_AT_ONCE = 500
_TABLES = """
CREATE TABLE IF NOT EXISTS fingerprint (text TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS scores (key BLOB PRIMARY KEY, found TEXT NOT NULL) WITHOUT ROWID;
"""


def fingerprint_text(fingerprint: Mapping[str, Any]) -> str:
    """Return a fingerprint as the text that is hashed."""
    return json.dumps(fingerprint, sort_keys=True, ensure_ascii=True)


def fingerprint_name(fingerprint: Mapping[str, Any]) -> str:
    """Return the file name of a fingerprint, without ending: its kind and a digest."""
    digest = hashlib.sha256(fingerprint_text(fingerprint).encode()).hexdigest()[:24]
    return f"{fingerprint['kind']}-{digest}"


class ScoreCache:
    """What is known of one fingerprint."""

    def __init__(self, directory: Path, fingerprint: Mapping[str, Any], width: int) -> None:
        """Open or make the file of `fingerprint` below `directory`.

        Args:
            directory: `cache/scores` of a workspace.
            fingerprint: with a `kind`.
            width: how many numbers a row has.

        Raises:
            DataError: the file there is damaged or another one's.
            WorkError: the disk refuses.
        """
        self.path = directory / f"{fingerprint_name(fingerprint)}.sqlite"
        self.width = width
        with telling_disk_errors(directory):
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.path.touch(mode=0o600)
        with self._telling():
            self._file = sqlite3.connect(self.path, timeout=_WAIT_SECONDS)
            try:
                self._open(fingerprint_text(fingerprint))
            except BaseException:
                self._file.close()
                raise

    def _open(self, text: str) -> None:
        self._file.executescript(_TABLES)
        with self._file:
            self._file.execute("INSERT OR IGNORE INTO fingerprint VALUES (?)", (text,))
        if self._file.execute("SELECT text FROM fingerprint").fetchall() != [(text,)]:
            raise self._unusable("It holds the scores of another model or setting.")

    def find(self, keys: Sequence[bytes]) -> dict[bytes, Measured]:
        """Return what is known of some rows, by the hash of their content."""
        known: dict[bytes, Measured] = {}
        with self._telling():
            for begin in range(0, len(keys), _ASKED_AT_ONCE):
                some = keys[begin : begin + _ASKED_AT_ONCE]
                marks = ",".join("?" * len(some))
                asked = f"SELECT key, found FROM scores WHERE key IN ({marks})"
                for key, found in self._file.execute(asked, some):
                    measured = self._read(found)
                    if measured is not None:
                        known[key] = measured
        return known

    def put(self, entries: Iterable[tuple[bytes, Measured]]) -> None:
        """Keep a batch; when this returns a kill does not lose it."""
        lines = [
            (key, json.dumps([list(one.values), one.reason], allow_nan=False))
            for key, one in entries
            if one.lasting
        ]
        with self._telling(), self._file:
            self._file.executemany("INSERT OR REPLACE INTO scores VALUES (?, ?)", lines)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _read(self, text: str) -> Measured | None:
        """Return what a line says; None for a line that cannot be right: it is computed anew."""
        try:
            values, reason = json.loads(text)
            found = tuple(float(value) for value in values)
        except (ValueError, TypeError):
            return None
        fits = len(found) == self.width if found else isinstance(reason, str) and reason
        return Measured(found, str(reason)) if fits else None

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Say what SQLite refuses, with the way out."""
        try:
            with telling_disk_errors(self.path):
                yield
        except sqlite3.OperationalError as error:
            raise WorkError(
                "the cache of scores cannot be written",
                where=str(self.path),
                cause=f"{error}.",
                cure="Make room on the disk, or end the other process that holds it; what was "
                "computed is kept.",
            ) from error
        except sqlite3.DatabaseError as error:
            raise self._unusable(f"{error}.") from error

    def _unusable(self, cause: str) -> DataError:
        return DataError(
            "this file of the cache of scores cannot be used",
            where=str(self.path),
            cause=cause,
            cure="Remove it: it is only a cache, and its scores are computed again.",
        )
