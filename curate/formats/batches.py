"""Records looked at together: most files hold one shape of record, and nothing but text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, BinaryIO, Protocol

import polars as pl

from curate.formats.decode import first_of, texts_of
from curate.formats.lines import line_blocks, rows_of, too_long_line
from curate.formats.raw import LONGEST_ROW_BYTES, RawRow

_ROWS = 8192
_BYTES = 64_000_000
_LINE_BYTES = 8_000_000


class Batch(Protocol):
    """Neighbouring records of a file."""

    @property
    def first(self) -> Any:
        """The first record as decoded; None where it could not be."""
        ...

    @property
    def places(self) -> Sequence[int]:
        """Number of each record in its file."""
        ...

    @property
    def last(self) -> int:
        """Where the last record is, as an editor can be told to go to."""
        ...

    @property
    def raws(self) -> Sequence[bytes]:
        """Each record's own bytes."""
        ...

    @property
    def rows(self) -> Sequence[RawRow]:
        """The records one by one."""
        ...

    def columns(self) -> pl.DataFrame | None:
        """Return key → texts; None where keys differ, or anything but text is in them."""
        ...


@dataclass(frozen=True)
class RowBatch:
    """Records that were decoded one by one."""

    rows: Sequence[RawRow]

    @property
    def first(self) -> Any:
        """The first record as decoded."""
        return self.rows[0].value

    @property
    def places(self) -> Sequence[int]:
        """Number of each record in its file."""
        return [raw.place for raw in self.rows]

    @property
    def last(self) -> int:
        """Where the last record is, as an editor can be told to go to."""
        return self.rows[-1].shown

    @property
    def raws(self) -> Sequence[bytes]:
        """Each record's own bytes."""
        return [raw.raw for raw in self.rows]

    def columns(self) -> pl.DataFrame | None:
        """Return key → texts; None where keys differ, or anything but text is in them."""
        keys = self.first.keys()
        for raw in self.rows:
            if raw.misfit is not None or type(raw.value) is not dict or raw.value.keys() != keys:
                return None
            if len(raw.raw) > LONGEST_ROW_BYTES:
                return None
            for item in raw.value.values():
                if type(item) is not str:
                    return None
        values: list[Mapping[str, str]] = [raw.value for raw in self.rows]
        return pl.DataFrame({key: [value[key] for value in values] for key in keys})


@dataclass(frozen=True)
class LineBatch:
    """Lines of JSON, decoded when they are asked for."""

    places: Sequence[int]
    raws: Sequence[bytes]

    @property
    def last(self) -> int:
        """Where the last record is, as an editor can be told to go to."""
        return self.places[-1]

    @property
    def first(self) -> Any:
        """The first record as decoded; None where it could not be."""
        return first_of(self.raws)

    @cached_property
    def rows(self) -> Sequence[RawRow]:
        """The records one by one."""
        return list(rows_of(self.raws, self.places))

    def columns(self) -> pl.DataFrame | None:
        """Return key → texts; None where keys differ, or anything but text is in them."""
        return texts_of(self.raws, list(self.first))


def row_batches(records: Iterator[RawRow]) -> Iterator[Batch]:
    """Yield records in batches of a bounded size.

    What could be read before an error comes before it.
    """
    batch: list[RawRow] = []
    size = 0
    try:
        for raw in records:
            batch.append(raw)
            size += len(raw.raw) + raw.held
            if len(batch) == _ROWS or size >= _BYTES:
                yield RowBatch(batch)
                batch, size = [], 0
    except Exception:
        if batch:
            yield RowBatch(batch)
        raise
    if batch:
        yield RowBatch(batch)


def line_batches(stream: BinaryIO) -> Iterator[Batch]:
    """Yield the lines of a file that are not blank in batches, as `row_batches` does records."""
    places: list[int] = []
    texts: list[bytes] = []
    size = 0
    try:
        for block in line_blocks(stream):
            if block.cut:
                if places:
                    yield LineBatch(places, texts)
                yield RowBatch([too_long_line(block)])
                places, texts, size = [], [], 0
                continue
            places += block.places
            texts += block.texts
            size += block.size
            if len(places) >= _ROWS or size >= _LINE_BYTES:
                yield LineBatch(places, texts)
                places, texts, size = [], [], 0
    except Exception:
        if places:
            yield LineBatch(places, texts)
        raise
    if places:
        yield LineBatch(places, texts)
