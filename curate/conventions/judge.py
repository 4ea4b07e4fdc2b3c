"""From what each row does to what is a convention, and who departs from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curate.conventions.findings import Finding

Codes = NDArray[np.integer]
Rows = NDArray[np.int64]

LEAST_ROWS = 20
"""Of fewer rows no convention can be told."""
OF_A_SOURCE = 0.8
"""A source whose rows do one thing at least so often has a convention of its own."""
_SECOND = 0.05
"""Two conventions are told only where the second has at least this share of the rows."""


@dataclass(frozen=True)
class Coded:
    """What every row does in one aspect."""

    aspect: str
    values: Sequence[str]
    """What a row with each value does, as the rest of a sentence."""
    codes: Codes
    """Place in `values`, -1 where the aspect does not apply; shape (rows,)."""
    strict: frozenset[int] = frozenset()
    """Values from which to depart is a matter of form."""


@dataclass(frozen=True)
class Sources:
    """Which source each row is of."""

    names: Sequence[str]
    codes: NDArray[np.int32]
    """Place in `names`; shape (rows,)."""


def judged(
    coded: Coded, sources: Sources, share: float, *, rows: Rows | None = None
) -> list[Finding]:
    """Return what is to be said of one aspect.

    A source whose rows nearly all do something else than most rows of all sources is told as a
    whole, and its rows are measured by its own convention; the other rows by that of them all.

    Args:
        coded: what each row does.
        sources: where each row is from.
        share: least share of rows that makes a convention.
        rows: `_row` of each row; left out: 0, 1, 2 …
    """
    place = np.arange(coded.codes.size, dtype=np.int64) if rows is None else rows
    held = np.flatnonzero(coded.codes >= 0)
    if held.size < LEAST_ROWS:
        return []
    kinds = len(coded.values)
    counts = np.bincount(
        sources.codes[held].astype(np.int64) * kinds + coded.codes[held],
        minlength=len(sources.names) * kinds,
    ).reshape(-1, kinds)
    common = int(counts.sum(axis=0).argmax())
    apart = _apart(counts, common)
    out = [_whole(coded, sources, counts, common, number) for number in apart]
    groups = [("", common, held[~np.isin(sources.codes[held], apart)])]
    groups += [
        (sources.names[number], int(counts[number].argmax()), held[sources.codes[held] == number])
        for number in apart
    ]
    for name, usual, members in groups:
        found = _of_group(coded, name, usual, members, share, place)
        out += [found] if found else []
    return out


def _apart(counts: NDArray[np.int64], common: int) -> list[int]:
    """Return the sources that as a whole do something else than most rows do."""
    totals = counts.sum(axis=1)
    own = counts.argmax(axis=1)
    sure = counts.max(axis=1) >= OF_A_SOURCE * np.maximum(totals, 1)
    return [int(n) for n in np.flatnonzero((totals >= LEAST_ROWS) & sure & (own != common))]


def _whole(
    coded: Coded, sources: Sources, counts: NDArray[np.int64], common: int, number: int
) -> Finding:
    mine, rest = counts[number], np.delete(counts, number, axis=0).sum(axis=0)
    own = int(mine.argmax())
    others = [(f"rows of other sources {coded.values[v]}", int(rest[v])) for v in _ranked(rest)]
    return Finding(
        coded.aspect,
        "source",
        bool({own, common} & coded.strict),
        coded.values[own],
        int(mine[own]),
        int(mine.sum()),
        tuple(others),
        source=sources.names[number],
    )


def _of_group(
    coded: Coded, name: str, usual: int, members: Rows, share: float, place: Rows
) -> Finding | None:
    codes = coded.codes[members]
    if codes.size < LEAST_ROWS:
        return None
    counts = np.bincount(codes, minlength=len(coded.values))
    keeps, applies = int(counts[usual]), int(codes.size)
    rest = counts.copy()
    rest[usual] = 0
    others = tuple((coded.values[v], int(rest[v])) for v in _ranked(rest))
    form = usual in coded.strict
    if keeps == applies:
        return None
    if keeps < share * applies:
        if rest.max() < _SECOND * applies:
            return None
        return Finding(
            coded.aspect, "mixed", form, coded.values[usual], keeps, applies, others, source=name
        )
    gone = members[codes != usual]
    instead = tuple(coded.values[code] for code in coded.codes[gone].tolist())
    return Finding(
        coded.aspect,
        "departing",
        form,
        coded.values[usual],
        keeps,
        applies,
        others,
        source=name,
        rows=place[gone],
        instead=instead,
    )


def _ranked(counts: NDArray[np.int64]) -> list[int]:
    """Return the values that occur, the most frequent first."""
    return [int(v) for v in np.argsort(-counts, kind="stable") if counts[v]]
