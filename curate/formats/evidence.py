"""What the detector saw: which columns made a row be of which format, and what else it could be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from curate.formats.detect import RowFormat, also_fits
from curate.formats.used import content_keys

_MOST = 64
"""Kinds of rows that are told apart in one file; rows of further kinds count as of no columns."""


@dataclass
class Evidence:
    """Rows of a file that were recognised by the same columns."""

    format: RowFormat
    columns: tuple[str, ...]
    """The source's own columns that were read as content."""
    also: tuple[RowFormat, ...]
    """Other formats that such rows fit: their columns were left out."""
    first: int
    """Number of the first such row in its file."""
    rows: int = 0

    def document(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return {
            "format": self.format.value,
            "columns": [*self.columns],
            "also": [one.value for one in self.also],
            "rows": self.rows,
            "first_row": self.first,
        }


class Detected:
    """The evidence of one file."""

    def __init__(self) -> None:
        """Begin with none."""
        self._found: dict[tuple[Any, ...], Evidence] = {}
        self._known: dict[tuple[Any, ...], Evidence] = {}

    @classmethod
    def of(cls, found: Iterable[Evidence]) -> Detected:
        """Return evidence that was gathered before."""
        made = cls()
        made._found = {(number,): one for number, one in enumerate(found)}
        return made

    def __iter__(self) -> Iterator[Evidence]:
        """Yield it, most rows first."""
        return iter(sorted(self._found.values(), key=lambda one: (-one.rows, one.first)))

    def count(
        self,
        found: RowFormat,
        value: Mapping[str, Any],
        names: Mapping[str, str],
        place: int,
        rows: int = 1,
    ) -> None:
        """Count rows like one.

        Args:
            found: its format.
            value: the record, its columns under their usual names.
            names: usual name → the source's own.
            place: number of the row in its file.
            rows: how many have these columns.
        """
        shape = (found, *(key for key, item in value.items() if item is not None))
        one = self._known.get(shape)
        if one is None:
            one = self._place(found, value, names, place)
            if len(self._known) < _MOST * _MOST:
                self._known[shape] = one
        one.rows += rows

    def _place(
        self, found: RowFormat, value: Mapping[str, Any], names: Mapping[str, str], place: int
    ) -> Evidence:
        columns = tuple(
            names.get(key, key) for key in content_keys(found, value) if value.get(key) is not None
        )
        key = (found, columns, also_fits(found, value))
        if key not in self._found and len(self._found) >= _MOST:
            key = (found, (), ())
        return self._found.setdefault(key, Evidence(*key, first=place))
