"""Splits in which each label (or source, or length) has its share, by whole groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from curate.recipe import Split
from curate.steps.base import StepContext

if TYPE_CHECKING:
    from curate.steps.balancing.cells import Cells

Rows = NDArray[np.int64]
_SHOWN = 5


def strata_of(rows: Rows, split: Split, context: StepContext) -> Cells | None:
    """Return the stratum of each of `rows`, or None where the split is not stratified.

    Rows without a value are a stratum of their own.

    Raises:
        DataError: rows cannot be grouped like this.
    """
    if split.stratify is None:
        return None
    from curate.steps.balancing.cells import Cells, cells_of

    cells = cells_of(rows, split.stratify, context)
    if (cells.of >= 0).all():
        return cells
    return Cells((*cells.names, "(none)"), np.where(cells.of < 0, len(cells), cells.of))


def targets(sizes: Rows, wanted: float) -> Rows:
    """Return how many rows of each stratum a split should have.

    Each gets its share, rounded down, and the rows missing to the whole go to the largest
    fractions, so that the sum is what was asked for.

    Args:
        sizes: rows of each stratum.
        wanted: share of all rows (below 1), or their number.
    """
    whole = int(sizes.sum())
    total = min(round(wanted * whole) if wanted < 1 else int(wanted), whole)
    exact = sizes * (total / max(whole, 1))
    low = np.floor(exact + 1e-9).astype(np.int64)
    order = np.argsort(low - exact, kind="stable")
    low[order[: total - int(low.sum())]] += 1
    return np.asarray(low)


def fill_strata(
    order: Sequence[int],
    places: Rows,
    holds_made: NDArray[np.bool_],
    strata: Cells,
    split: Split,
) -> Rows:
    """Return the split of each group: 2 test, 1 validation, 0 train.

    Test is filled first, then validation, in `order`: a group goes in while there is room for all
    its rows in their strata, so a stratum of groups of its own misses its target by less than one
    of them. Groups with rows of several strata may then still go in where that brings the strata
    nearer to their targets in sum.

    Args:
        order: group numbers, shuffled.
        places: group of each row, shape (rows,).
        holds_made: whether a group has a made row, which keeps it out of test.
        strata: stratum of each row.
        split: the sizes asked for.
    """
    inside = _inside(places, strata, holds_made.size)
    sizes = np.bincount(strata.of, minlength=len(strata))
    assigned = [0] * holds_made.size
    barred = holds_made.tolist()
    for place, share in ((2, split.test), (1, split.validation)):
        room: list[int] = targets(sizes, share).tolist()
        waiting = [g for g in order if not assigned[g] and not (place == 2 and barred[g])]
        for fits in (_has_room, _comes_nearer):
            for group in waiting:
                if not assigned[group] and fits(inside[group], room):
                    assigned[group] = place
                    for stratum, rows in inside[group]:
                        room[stratum] -= rows
    return np.array(assigned, np.int64)


def _has_room(held: list[tuple[int, int]], room: list[int]) -> bool:
    return all(rows <= room[stratum] for stratum, rows in held)


def _comes_nearer(held: list[tuple[int, int]], room: list[int]) -> bool:
    if len(held) == 1:
        return False
    return sum(abs(room[s] - rows) - abs(room[s]) for s, rows in held) < 0


def _inside(places: Rows, strata: Cells, groups: int) -> list[list[tuple[int, int]]]:
    """Return for each group its strata and how many rows of each."""
    keys, counts = np.unique(places * len(strata) + strata.of, return_counts=True)
    inside: list[list[tuple[int, int]]] = [[] for _ in range(groups)]
    for key, count in zip(keys.tolist(), counts.tolist(), strict=True):
        group, stratum = divmod(key, len(strata))
        inside[group].append((stratum, count))
    return inside


def shares_told(strata: Cells, assigned: Rows, split: Split) -> tuple[str, ...]:
    """Return how near each split's strata are to their targets, one sentence a split."""
    sizes = np.bincount(strata.of, minlength=len(strata))
    notes = []
    for place, name, share in ((1, "validation", split.validation), (2, "test", split.test)):
        wanted = targets(sizes, share)
        if not wanted.any():
            continue
        got = np.bincount(strata.of[assigned == place], minlength=len(strata))
        off = np.abs(got - wanted)
        without = [strata.shown()[i] for i in np.flatnonzero(got == 0)]
        note = (
            f"{name} has the wanted number of rows of {int((off == 0).sum()):,} of {len(strata):,} "
            f"strata, and is off by at most {int(off.max())}."
        )
        if without:
            more = " …" if len(without) > _SHOWN else ""
            note += f" It has none of {len(without):,}: {', '.join(without[:_SHOWN])}{more}."
        notes.append(note)
    return tuple(notes)
