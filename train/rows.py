"""Rows as the trainer will see them: token ids, and which of them carry loss.

A million rows are a few flat arrays; a row is a view into them, made when it is looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import nan, prod
from typing import overload

import numpy as np
from numpy.typing import NDArray

from train.data import DataRow, DatasetRows, Role

Ids = NDArray[np.int32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class TokenSequence:
    """What the model reads in one go."""

    input_ids: Ids
    """Shape (tokens,)."""
    loss_mask: Mask
    """True where the token carries loss; shape (tokens,)."""

    @property
    def tokens(self) -> int:
        """Length in tokens."""
        return len(self.input_ids)

    @property
    def trained(self) -> int:
        """Tokens that carry loss. The first token is never predicted."""
        return int(self.loss_mask[1:].sum())


@dataclass(frozen=True)
class TokenRow:
    """One row, tokenised: one sequence, or several that are compared with each other."""

    dataset: DatasetRows
    position: int
    """Of the row in its dataset."""
    row_id: str
    source: str
    sequences: tuple[TokenSequence, ...]
    cut_tokens: int = 0
    """Tokens taken off its ends because the recipe asked for `too_long: cut`."""
    target: float = nan
    """What the loss takes beside the tokens, such as a label; nan for none."""

    @property
    def role(self) -> Role:
        """Whether it is learnt or replayed."""
        return self.dataset.role

    @cached_property
    def row(self) -> DataRow:
        """The row as it was read."""
        return self.dataset.rows[self.position]

    @property
    def pictures(self) -> tuple[str, ...]:
        """SHA-256 of the bytes of each of its images, in order."""
        held = self.dataset.pictures
        return () if held is None else held.digests[self.position]

    @property
    def tokens(self) -> int:
        """Tokens of all its sequences."""
        return sum(one.tokens for one in self.sequences)

    @property
    def trained(self) -> int:
        """Tokens that carry loss."""
        return sum(one.trained for one in self.sequences)

    @property
    def input_ids(self) -> Ids:
        """Token ids of a row that is one sequence."""
        (only,) = self.sequences
        return only.input_ids

    @property
    def loss_mask(self) -> Mask:
        """Loss mask of a row that is one sequence."""
        (only,) = self.sequences
        return only.loss_mask


@dataclass(frozen=True)
class DroppedRow:
    """A row that training will not see, and why."""

    row_id: str
    source: str
    place: str
    role: Role
    tokens: int
    reason: str


@dataclass(frozen=True)
class TokenRows(Sequence[TokenRow]):
    """Rows of one dataset, in its order; each has equally many sequences."""

    dataset: DatasetRows
    per_row: int
    """Sequences of each row."""
    ids: Ids
    """Token ids of all sequences, one after the other."""
    mask: Mask
    offsets: NDArray[np.int64]
    """Sequence s has `ids[offsets[s]:offsets[s + 1]]`; shape (rows x per_row + 1,)."""
    positions: NDArray[np.int64]
    """Position of each row in the dataset; shape (rows,)."""
    cut: NDArray[np.int32]
    """Tokens taken off each row; shape (rows,)."""
    targets: NDArray[np.float64]
    """What the loss takes of each row beside its tokens, nan for none; shape (rows,)."""
    row_ids: Sequence[str]
    sources: Sequence[str]

    def __len__(self) -> int:
        return len(self.positions)

    @overload
    def __getitem__(self, index: int) -> TokenRow: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[TokenRow]: ...
    def __getitem__(self, index: int | slice) -> TokenRow | Sequence[TokenRow]:
        if isinstance(index, slice):
            return [self[one] for one in range(*index.indices(len(self)))]
        place = range(len(self))[index]
        first = place * self.per_row
        return TokenRow(
            self.dataset,
            int(self.positions[place]),
            self.row_ids[place],
            self.sources[place],
            tuple(self._sequence(one) for one in range(first, first + self.per_row)),
            int(self.cut[place]),
            float(self.targets[place]),
        )

    def _sequence(self, number: int) -> TokenSequence:
        span = slice(int(self.offsets[number]), int(self.offsets[number + 1]))
        return TokenSequence(self.ids[span], self.mask[span])

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each sequence; shape (rows, per_row)."""
        return np.diff(self.offsets).reshape(-1, self.per_row)

    @cached_property
    def tokens(self) -> NDArray[np.int64]:
        """Tokens of each row."""
        return np.asarray(self.lengths.sum(axis=1))

    @cached_property
    def trained(self) -> NDArray[np.int64]:
        """Tokens of each row that carry loss."""
        carries = self.mask.copy()
        carries[self.offsets[:-1]] = False  # the first token is never predicted
        ends = np.concatenate(([0], np.cumsum(carries, dtype=np.int64)))[self.offsets]
        return np.asarray(np.diff(ends).reshape(-1, self.per_row).sum(axis=1))

    @cached_property
    def pixels(self) -> NDArray[np.int64]:
        """Pixels of each row's images as they are stored; shape (rows,)."""
        held = self.dataset.pictures
        if held is None:
            return np.zeros(len(self), dtype=np.int64)
        sizes = (held.sizes[position] for position in self.positions.tolist())
        return np.array([sum(map(prod, row)) for row in sizes], dtype=np.int64)


class JoinedRows(Sequence[TokenRow]):
    """Rows of the dataset, then rows to replay; a schedule's indices point here."""

    def __init__(self, parts: Sequence[TokenRows]) -> None:
        """`parts` have equally many sequences a row."""
        self.parts = tuple(parts)
        self._starts = np.cumsum([0, *(len(part) for part in parts)])

    def __len__(self) -> int:
        return int(self._starts[-1])

    @overload
    def __getitem__(self, index: int) -> TokenRow: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[TokenRow]: ...
    def __getitem__(self, index: int | slice) -> TokenRow | Sequence[TokenRow]:
        if isinstance(index, slice):
            return [self[one] for one in range(*index.indices(len(self)))]
        place = range(len(self))[index]
        part = int(np.searchsorted(self._starts, place, side="right")) - 1
        return self.parts[part][place - int(self._starts[part])]

    @property
    def per_row(self) -> int:
        """Sequences of each row."""
        return self.parts[0].per_row

    @cached_property
    def tokens(self) -> NDArray[np.int64]:
        """Tokens of each row; shape (rows,)."""
        return np.concatenate([part.tokens for part in self.parts])

    @cached_property
    def trained(self) -> NDArray[np.int64]:
        """Tokens of each row that carry loss; shape (rows,)."""
        return np.concatenate([part.trained for part in self.parts])

    @cached_property
    def targets(self) -> NDArray[np.float64]:
        """What the loss takes of each row beside its tokens, nan for none; shape (rows,)."""
        return np.concatenate([part.targets for part in self.parts])

    @cached_property
    def padded(self) -> NDArray[np.int64]:
        """Tokens that each row costs alone on the device: its sequences as long as the longest."""
        return np.concatenate([part.lengths.max(axis=1, initial=0) for part in self.parts]) * (
            self.per_row
        )

    @cached_property
    def replayed(self) -> NDArray[np.bool_]:
        """Whether each row is replayed; shape (rows,)."""
        return np.concatenate([np.full(len(p), p.dataset.role == "replay") for p in self.parts])

    @cached_property
    def pixels(self) -> NDArray[np.int64]:
        """Pixels of each row's images as they are stored; shape (rows,)."""
        return np.concatenate([part.pixels for part in self.parts])

    def row_id(self, index: int) -> tuple[str, str]:
        """Return the id and the source of a row, without decoding it."""
        part = int(np.searchsorted(self._starts, index, side="right")) - 1
        place = index - int(self._starts[part])
        return self.parts[part].row_ids[place], self.parts[part].sources[place]


@dataclass
class RowBuilder:
    """Collects tokenised rows into flat arrays."""

    dataset: DatasetRows
    per_row: int
    _ids: list[Ids] = field(default_factory=list)
    _mask: list[Mask] = field(default_factory=list)
    _lengths: list[int] = field(default_factory=list)
    _positions: list[int] = field(default_factory=list)
    _cut: list[int] = field(default_factory=list)
    _targets: list[float] = field(default_factory=list)
    _row_ids: list[str] = field(default_factory=list)
    _sources: list[str] = field(default_factory=list)
    _names: dict[str, str] = field(default_factory=dict)

    def add(
        self,
        position: int,
        row: DataRow,
        sequences: Sequence[TokenSequence],
        cut: int,
        target: float = nan,
    ) -> None:
        """Add a row."""
        for one in sequences:
            self._ids.append(one.input_ids)
            self._mask.append(one.loss_mask)
            self._lengths.append(one.tokens)
        self._positions.append(position)
        self._cut.append(cut)
        self._targets.append(target)
        self._row_ids.append(row.row_id)
        self._sources.append(self._names.setdefault(row.source, row.source))
        if len(self._ids) >= 65_536:  # a million small arrays would be half a gigabyte of headers
            self._ids = [np.concatenate(self._ids)]
            self._mask = [np.concatenate(self._mask)]

    def rows(self) -> TokenRows:
        """Return what was added."""
        empty_ids, empty_mask = np.empty(0, np.int32), np.empty(0, np.bool_)
        return TokenRows(
            self.dataset,
            self.per_row,
            np.concatenate([empty_ids, *self._ids]),
            np.concatenate([empty_mask, *self._mask]),
            np.concatenate(([0], np.cumsum(self._lengths, dtype=np.int64))).astype(np.int64),
            np.array(self._positions, np.int64),
            np.array(self._cut, np.int32),
            np.array(self._targets, np.float64),
            self._row_ids,
            self._sources,
        )
