"""Numbers before and after, counted in bins and laid out in per cent of a picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from evalsuite.report.axis import LEFT, RIGHT, Scale, Tick, round_step

HEIGHT = 120
"""Pixels from the axis to the highest bar."""
_BINS = 32
_WIDE = 8.0
"""Where the largest value is more than this many times the median, the axis is logarithmic."""
_FEW_KEPT = 0.2
"""Under this share of rows kept, both sides are drawn as shares, or the kept ones would be flat."""


@dataclass(frozen=True)
class Spread:
    """Four numbers for a distribution."""

    least: int
    median: int
    p95: int
    most: int

    @classmethod
    def of(cls, values: pl.Series) -> Spread | None:
        """Return the spread of numbers; None where there are none."""
        if not values.len():
            return None
        quantiles = [values.quantile(q, "nearest") or 0 for q in (0.0, 0.5, 0.95, 1.0)]
        return cls(*(int(value) for value in quantiles))


@dataclass(frozen=True)
class Bin:
    """One bar of each side; positions in per cent of the width, heights in pixels."""

    x: float
    width: float
    before_height: float
    after_height: float
    label: str
    """From where to where."""
    before: int
    after: int


@dataclass(frozen=True)
class Histogram:
    """Two distributions on one axis."""

    name: str
    title: str
    unit: str
    bins: tuple[Bin, ...]
    ticks: tuple[Tick, ...]
    before: Spread | None
    """None: nothing was read, the rows were made."""
    after: Spread | None
    hint: str
    """How the picture is to be read."""

    @property
    def is_flat(self) -> bool:
        """Whether all values of both sides are the same, so that one sentence says it."""
        sides = [side for side in (self.before, self.after) if side is not None]
        return len({side.least for side in sides} | {side.most for side in sides}) == 1


def histogram(
    name: str,
    title: str,
    unit: str,
    before: pl.Series | None,
    after: pl.Series,
    hint: str = "",
    stands_for: tuple[float, float] = (1.0, 1.0),
) -> Histogram | None:
    """Lay out two distributions; None where no row has a number.

    Args:
        name: of the picture, for its anchor.
        title: heading.
        unit: of the numbers, in the plural.
        before: whole numbers, not negative, of the rows read; None: there were none.
        after: of the rows kept.
        hint: a sentence that goes before how the picture is drawn.
        stands_for: how many rows each number of either side stands for, where they are a sample.
    """
    sides = [
        side.drop_nulls().to_numpy().astype(np.float64) if side is not None else np.empty(0)
        for side in (before, after)
    ]
    both = np.concatenate(sides)
    if not both.size:
        return None
    edges, logarithmic = _edges(both)
    counts = [
        np.rint(np.histogram(side, edges)[0] * rows).astype(np.int64)
        for side, rows in zip(sides, stands_for, strict=True)
    ]
    as_shares = bool(counts[1].sum() < _FEW_KEPT * counts[0].sum())
    axis = np.log10(np.maximum(edges, 0.5)) if logarithmic else edges
    scale = Scale(float(axis[0]), float(axis[-1]))
    said = [hint] if hint else []
    if logarithmic:
        said.append("The axis is logarithmic.")
    if as_shares:
        said.append("Heights are shares of the rows of each side, since few were kept.")
    return Histogram(
        name,
        title,
        unit,
        _bins(edges, axis, scale, counts, as_shares),
        _ticks(edges, scale, logarithmic),
        Spread.of(before.drop_nulls()) if before is not None else None,
        Spread.of(after.drop_nulls()),
        " ".join(said),
    )


def _edges(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], bool]:
    """Return the edges of the bins, halves of whole numbers, and whether they widen."""
    low, high = float(values.min()), float(values.max())
    if high > _WIDE * max(float(np.median(values)), _WIDE):
        edges = np.unique(np.round(np.geomspace(max(low, 1.0), high + 1, _BINS + 1)))
        edges[0] = low
        return edges - 0.5, True
    width = max(1.0, math.ceil((high - low + 1) / _BINS))
    begin = math.floor(low / width) * width
    return np.arange(begin, high + 1.5 * width, width) - 0.5, False


def _bins(
    edges: NDArray[np.float64],
    axis: NDArray[np.float64],
    scale: Scale,
    counts: Sequence[NDArray[np.int64]],
    as_shares: bool,
) -> tuple[Bin, ...]:
    totals = [max(int(side.sum()), 1) if as_shares else 1 for side in counts]
    tall = [side / total for side, total in zip(counts, totals, strict=True)]
    top = max(float(np.max(side)) for side in tall) or 1.0
    bins = []
    for place in range(edges.size - 1):
        x, end = scale.at(float(axis[place])), scale.at(float(axis[place + 1]))
        low, high = math.ceil(edges[place]), math.floor(edges[place + 1])
        heights = [round(float(side[place]) / top * HEIGHT, 1) for side in tall]
        bins.append(
            Bin(
                x,
                round(end - x, 2),
                heights[0],
                heights[1],
                f"{low:,}" if low == high else f"{low:,} to {high:,}",
                int(counts[0][place]),
                int(counts[1][place]),
            )
        )
    return tuple(bins)


def _ticks(edges: NDArray[np.float64], scale: Scale, logarithmic: bool) -> tuple[Tick, ...]:
    low, high = math.ceil(edges[0]), math.floor(edges[-1])
    if logarithmic:
        return _powers(max(low, 1), high, scale)
    step = max(1, round(round_step(max(high - low, 1) / 5)))
    first = -(-low // step) * step
    return tuple(Tick(scale.at(value), f"{value:,}") for value in range(first, high + 1, step))


def _powers(low: int, high: int, scale: Scale) -> tuple[Tick, ...]:
    """Return 1, 10, 100 …, with 2 and 5 between them where the axis is short."""
    factors = (1, 2, 5) if high / low < 200 else (1, 3) if high / low < 4_000 else (1,)
    values = [
        factor * 10**power
        for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        for factor in factors
    ]
    return tuple(Tick(scale.at(math.log10(v)), short(v)) for v in values if low <= v <= high)


def short(value: int) -> str:
    """Return a round number for an axis.

    >>> short(300), short(2000), short(1000000)
    ('300', '2k', '1M')
    """
    for unit, size in (("M", 1_000_000), ("k", 1_000)):
        if value >= size and value % size == 0:
            return f"{value // size}{unit}"
    return str(value)


__all__ = ["HEIGHT", "LEFT", "RIGHT", "Bin", "Histogram", "Spread", "histogram", "short"]
