"""Records looked at together: most files hold one shape of record, and nothing but text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, BinaryIO, Protocol

import polars as pl

from curate.formats.decode import first_of, is_texts, objects_of, texts_of
from curate.formats.lines import LineBlock, line_blocks, rows_of, too_long_line
from curate.formats.raw import LONGEST_ROW_BYTES, RawRow, raw_hashes

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

    def __len__(self) -> int: ...

    def hashes(self) -> pl.Series:
        """Return `raw_hashes` of the records' own bytes."""
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

    def __len__(self) -> int:
        return len(self.rows)

    def hashes(self) -> pl.Series:
        """Return `raw_hashes` of the records' own bytes."""
        return raw_hashes([raw.raw for raw in self.rows])

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


class LineBatch:
    """Lines of JSON, split and decoded when they are asked for."""

    def __init__(self, block: LineBlock) -> None:
        """Hold lines of which not all are blank."""
        self._block = block

    def __len__(self) -> int:
        return len(self.places)

    @cached_property
    def _objects(self) -> pl.Series | None:
        return objects_of(self._block.data)

    @cached_property
    def _filled(self) -> tuple[Sequence[int], Sequence[bytes]]:
        return self._block.filled()

    @property
    def places(self) -> Sequence[int]:
        """Number of each record in its file."""
        if self._objects is None:
            return self._filled[0]
        return range(self._block.begin, self._block.begin + len(self._objects))

    @property
    def last(self) -> int:
        """Where the last record is, as an editor can be told to go to."""
        return self.places[-1]

    @property
    def first(self) -> Any:
        """The first record as decoded; None where it could not be."""
        if self._objects is None:
            return first_of(self._filled[1][0])
        return first_of(self._objects[0].encode())

    def hashes(self) -> pl.Series:
        """Return `raw_hashes` of the records' own bytes."""
        return raw_hashes(self._filled[1] if self._objects is None else self._objects)

    @cached_property
    def rows(self) -> Sequence[RawRow]:
        """The records one by one."""
        places, texts = self._filled
        return list(rows_of(texts, places))

    def columns(self) -> pl.DataFrame | None:
        """Return key → texts; None where keys differ, or anything but text is in them."""
        return self._columns

    @cached_property
    def _columns(self) -> pl.DataFrame | None:
        if self._objects is None or not is_texts(self.first):
            return None
        if any(not key or "\0" in key for key in self.first):  # tables name such columns anew
            return None
        return texts_of(self._block.data, len(self._objects), list(self.first))


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
    blocks: list[LineBlock] = []
    try:
        for block in line_blocks(stream):
            if block.cut:
                yield from _joined(blocks)
                yield RowBatch([too_long_line(block)])
                blocks = []
                continue
            blocks.append(block)
            size = sum(len(one.data) for one in blocks)
            if size >= _LINE_BYTES or sum(one.count for one in blocks) >= _ROWS:
                yield from _joined(blocks)
                blocks = []
    except Exception:
        yield from _joined(blocks)
        raise
    yield from _joined(blocks)


def _joined(blocks: Sequence[LineBlock]) -> Iterator[Batch]:
    """Yield the blocks as one batch, or nothing if all their lines are blank."""
    if any(block.data and not block.data.isspace() for block in blocks):
        whole = b"\n".join(block.data for block in blocks)
        count = sum(block.count for block in blocks)
        batch = LineBatch(LineBlock(blocks[0].begin, count, whole))
        batch.columns()  # here, where it may be done ahead
        yield batch
