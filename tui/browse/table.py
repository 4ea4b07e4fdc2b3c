"""Rows by number, of indexes that are mapped into memory: a row becomes Python when it is shown."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tui.browse.index import Check, _go_on, index_path, open_index
from tui.browse.opening import Opened, Tell, View, cache_directory, open_rows

_REMEMBERED = 2048


@dataclass(frozen=True, slots=True)
class Row:
    """What a table shows of a row. Texts are as found on disk: make them plain when drawing."""

    id: str | None
    split: str | None
    source: str | None
    place: int | None
    """Its number in its source."""
    label: str | None
    topic: str | None
    turns: int | None
    tokens: int | None
    characters: int | None
    parents: str | None
    """The first row that it was made from."""
    start: str | None
    step: str | None = None
    reason: str | None = None
    detail: str | None = None
    duplicate_of: str | None = None


class Table:
    """All rows of what was opened, numbered through its parts."""

    def __init__(self, opened: Opened, cache: Path, parts: Sequence[Sequence[Any]]) -> None:
        self.opened = opened
        self.cache = cache
        self._batches = [batch for part in parts for batch in part]
        self._starts: list[int] = []
        """Number of the first row of each batch."""
        self.part_starts: list[int] = []
        """Number of the first row of each part."""
        self._remembered: dict[int, Row] = {}
        count = 0
        for part in parts:
            self.part_starts.append(count)
            for batch in part:
                self._starts.append(count)
                count += batch.num_rows
        self.count = count

    @cached_property
    def has_labels(self) -> bool:
        """Whether any row has a label or a topic."""
        names = ("label", "topic")
        found = [batch.column(name) for batch in self._batches for name in names]
        return any(len(column) > column.null_count for column in found)

    def row(self, number: int) -> Row:
        """Return one row.

        Raises:
            IndexError: there is no such row.
        """
        known = self._remembered.get(number)
        if known is not None:
            return known
        if not 0 <= number < self.count:
            raise IndexError(number)
        place = bisect_right(self._starts, number) - 1
        while not self._batches[place].num_rows:
            place -= 1
        batch, inside = self._batches[place], number - self._starts[place]
        row = Row(*(column[inside].as_py() for column in batch.columns))
        if len(self._remembered) >= _REMEMBERED:
            self._remembered.clear()
        self._remembered[number] = row
        return row

    def place(self, number: int) -> tuple[int, int]:
        """Return the part that a row is in, and its number there."""
        part = bisect_right(self.part_starts, number) - 1
        return part, number - self.part_starts[part]

    @property
    def index_files(self) -> list[Path]:
        """The files of the indexes.

        Raises:
            FileNotFoundError: a file of rows vanished.
        """
        return [index_path(part, self.cache) for part in self.opened.parts]


def open_table(path: Path, view: View, root: Path, tell: Tell, check: Check = _go_on) -> Table:
    """Open a dataset or a file of rows; call it from a thread.

    Raises:
        DataError: it cannot be read.
    """
    opened = open_rows(path, view, root, tell)
    cache = cache_directory(opened.path, root)
    return Table(opened, cache, open_index(opened, cache, tell, check))
