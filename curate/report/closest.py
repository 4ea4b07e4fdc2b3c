"""How alike rows are, and the pairs that a threshold decided only just."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from curate.report.room import Room
from curate.report.rows import ShownRow
from curate.report.words import Comparison, compare_words
from evalsuite.report.axis import Scale, Tick

HEIGHT = 120
SHOWN = 20
_TEXT = 450


@dataclass(frozen=True)
class SimilarityBin:
    """Pairs of about one similarity; positions in per cent, heights in pixels."""

    x: float
    width: float
    duplicates_height: float
    others_height: float
    label: str
    duplicates: int
    others: int


@dataclass(frozen=True)
class Pair:
    """Two rows that are nearly as alike as the threshold."""

    similarity: float
    dropped: bool
    row: ShownRow
    partner: ShownRow
    asked: Comparison
    said: Comparison


@dataclass(frozen=True)
class Closeness:
    """What one step compared."""

    step: str
    threshold: float
    at: float
    """Place of the threshold, per cent."""
    bins: tuple[SimilarityBin, ...]
    ticks: tuple[Tick, ...]
    pairs: tuple[Pair, ...]
    """The least alike of the dropped ones first, then the most alike of the kept ones."""
    total: int
    """All pairs that are drawn."""
    over: int
    """Pairs at or above the threshold whose answers and numbers agree."""
    spared: int
    """Pairs at or above it that stay, since an answer, a number or a `not` differs."""
    low: float
    """Pairs less alike were not remembered."""

    @property
    def dropped(self) -> tuple[Pair, ...]:
        """Those pairs of which a row was dropped."""
        return tuple(pair for pair in self.pairs if pair.dropped)

    @property
    def kept(self) -> tuple[Pair, ...]:
        """Those pairs of which both rows stay."""
        return tuple(pair for pair in self.pairs if not pair.dropped)


def chosen_pairs(nearest: pl.DataFrame) -> pl.DataFrame:
    """Return the twenty pairs nearest to each step's threshold, both sides alike if they can.

    Where there is a choice, no row is shown twice.
    """
    parts = []
    for rows in nearest.partition_by("step", maintain_order=True):
        gone, kept = (_varied(rows.filter(pl.col("dropped") == side)) for side in (True, False))
        each = SHOWN // 2
        parts += [gone.head(max(each, SHOWN - kept.height)).head(SHOWN)]
        parts += [kept.head(max(each, SHOWN - gone.height)).head(SHOWN)]
    return pl.concat(parts) if parts else nearest


def _varied(rows: pl.DataFrame) -> pl.DataFrame:
    """Put pairs of which a row was in an earlier one behind the others."""
    seen: set[str] = set()
    again = []
    for pair in rows.select("row", "partner").iter_rows():
        again.append(not seen.isdisjoint(pair))
        seen.update(pair)
    order = pl.Series("again", again, pl.Boolean)
    return rows.with_columns(order).sort("again", maintain_order=True).drop("again")


def closeness(
    similarities: pl.DataFrame, pairs: pl.DataFrame, rows: Mapping[str, ShownRow], room: Room
) -> list[Closeness]:
    """Return one picture, and its pairs, for each step that compared rows.

    Args:
        similarities: columns of `SIMILARITIES`.
        pairs: from `chosen_pairs`.
        rows: their texts by id; a pair of which one is not known is left out.
        room: what pairs may still take of the page.
    """
    found = []
    for counts in similarities.partition_by("step", maintain_order=True):
        step = str(counts["step"][0])
        mine = pairs.filter(pl.col("step") == step)
        found.append(_closeness(step, counts, _shown(mine, rows, room)))
    return found


def _closeness(step: str, counts: pl.DataFrame, pairs: tuple[Pair, ...]) -> Closeness:
    threshold, low, high = float(counts["threshold"][0]), float(counts["low"][0]), 1.0
    scale = Scale(low, high)
    above = counts.filter(pl.col("low") >= threshold - 1e-9)
    top = max(*counts["pairs"], 1)
    bins = []
    for begin, end, every, same in counts.select("low", "high", "pairs", "duplicates").iter_rows():
        x = scale.at(begin)
        bins.append(
            SimilarityBin(
                x,
                round(scale.at(end) - x, 2),
                round(same / top * HEIGHT, 1),
                round((every - same) / top * HEIGHT, 1),
                f"{begin:.3f} to {end:.3f}",
                same,
                every - same,
            )
        )
    step_size = 0.05 if high - low <= 0.5 else 0.1
    first = -(-round(low * 1000) // round(step_size * 1000)) * step_size
    places = [first + n * step_size for n in range(round((high - first) / step_size) + 1)]
    return Closeness(
        step,
        threshold,
        scale.at(threshold),
        tuple(bins),
        tuple(Tick(scale.at(value), f"{value:.2f}") for value in places),
        pairs,
        int(counts["pairs"].sum()),
        int(above["duplicates"].sum()),
        int((above["pairs"] - above["duplicates"]).sum()),
        low,
    )


def _shown(pairs: pl.DataFrame, rows: Mapping[str, ShownRow], room: Room) -> tuple[Pair, ...]:
    shown = []
    for held in pairs.iter_rows(named=True):
        row, partner = rows.get(held["row"]), rows.get(held["partner"])
        if row is None or partner is None:
            continue
        asked = compare_words(partner.asks, row.asks, _TEXT)
        said = compare_words(partner.says, row.says, _TEXT)
        if room.takes(*asked.texts, *said.texts, row.place, partner.place):
            shown.append(Pair(held["similarity"], held["dropped"], row, partner, asked, said))
    return tuple(shown)
