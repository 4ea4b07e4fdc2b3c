"""What a dataset is made of, as bars: its rows by label, topic, source, split, reason and length.

Counted over the mapped indexes alone. Every bar carries the filter that shows exactly its rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from tui.browse.arranging import Wish, arrange, quoted
from tui.browse.finding import scan
from tui.browse.index import Check, _go_on

if TYPE_CHECKING:
    from tui.browse.table import Table

_MOST_BARS = 200
"""Values that have a bar of their own; the rarer ones share the last."""
_LENGTH_BARS = 20
_USUAL = 0.98
"""The share of rows that the bars of equal width reach to; the last bar holds those longer."""
_KINDS = ("label", "topic", "source", "split", "step", "reason")
_NOT_SAID = "(none)"


@dataclass(frozen=True)
class Bar:
    """Rows that have something in common."""

    name: str
    """As found in the data: make it plain when drawing."""
    rows: int
    tokens: int | None
    """All of theirs; None where they are not counted."""
    filter: str
    """The expression of SQL that fits these rows and no other."""


@dataclass(frozen=True)
class Picture:
    """The rows divided by one property."""

    name: str
    bars: tuple[Bar, ...]
    told: str
    """What the bars amount to, in a sentence."""

    @property
    def rows(self) -> int:
        """All rows."""
        return sum(bar.rows for bar in self.bars)


def pictures(
    table: Table, wish: Wish, tell: Callable[[int], None], check: Check = _go_on
) -> tuple[Picture, ...]:
    """Return the pictures of the rows that are shown; call it from a thread.

    What no row has (labels of data without labels, say) has no picture.

    Args:
        table: the rows.
        wish: which of them are shown; their order does not matter.
        tell: told how many rows were looked at, where a filter must read whole texts.
        check: called now and then; what it raises ends the work.

    Raises:
        DataError: the rows cannot be read.
        UsageError: the filter cannot be used.
    """
    columns = [*_KINDS, "tokens", "characters"]
    frame = scan(table).select(columns).collect()
    check()
    numbers = arrange(table, Wish(filter=wish.filter, only=wish.only), tell, check)
    if numbers is not None:
        frame = frame[numbers]
    found = [_by_value(frame, name) for name in _KINDS if frame[name].null_count() < frame.height]
    check()
    lengths = "tokens" if frame["tokens"].null_count() < frame.height else "characters"
    if frame[lengths].null_count() < frame.height:
        found.append(_by_length(frame, lengths))
    return tuple(found)


def _by_value(frame: pl.DataFrame, column: str) -> Picture:
    grouped = (
        frame.lazy()
        .group_by(column)
        .agg(*_facts())
        .sort(["rows", column], descending=[True, False], nulls_last=True)
        .collect()
    )
    named = grouped.filter(pl.col(column).is_not_null())
    shown, rest = named.head(_MOST_BARS), named.slice(_MOST_BARS)
    bars = [
        _bar(str(value), f"{column} = {quoted(value)}", *facts)
        for value, *facts in shown.iter_rows()
    ]
    if rest.height:
        several = ", ".join(quoted(value) for value in shown[column])
        sums = (int(rest[name].sum()) for name in ("rows", "tokens", "known"))
        name = f"({rest.height:,} rarer ones)"
        bars.append(_bar(name, f"{column} NOT IN ({several})", *sums))
    for _, *facts in grouped.filter(pl.col(column).is_null()).iter_rows():
        bars.append(_bar(_NOT_SAID, f"{column} IS NULL", *facts))
    return Picture(column, tuple(bars), _told_values(named["rows"].to_list()))


def _facts() -> list[pl.Expr]:
    """Return what is counted of the rows of a bar."""
    tokens = pl.col("tokens")
    return [pl.len().alias("rows"), tokens.sum().alias("tokens"), tokens.count().alias("known")]


def _bar(name: str, condition: str, rows: int, tokens: int, known: int) -> Bar:
    return Bar(name, rows, tokens if known else None, condition)


def _told_values(rows: list[int]) -> str:
    if len(rows) == 1:
        return "one value"
    times = rows[0] / rows[-1]
    return f"{len(rows):,} values, the largest has {times:,.1f} times the rows of the smallest"


def _by_length(frame: pl.DataFrame, column: str) -> Picture:
    lengths = frame[column].drop_nulls()
    width = _width(int(lengths.quantile(_USUAL, "nearest") or 0))
    last = _LENGTH_BARS - 1
    place = (pl.col(column) // width).clip(upper_bound=last).alias("place")
    counted = {
        key: facts
        for key, *facts in frame.lazy().group_by(place).agg(*_facts()).collect().iter_rows()
    }
    bars = list(_length_bars(column, width, last, counted))
    if None in counted:
        bars.append(_bar("(not counted)", f"{column} IS NULL", *counted[None]))
    return Picture(column, tuple(bars), _told_lengths(lengths, column))


def _length_bars(
    column: str, width: int, last: int, counted: dict[int | None, list[Any]]
) -> Iterator[Bar]:
    """Yield a bar for each length from the shortest row to the longest: a gap is seen as one."""
    places = [place for place in counted if place is not None]
    for place in range(min(places), max(places) + 1):
        begin, end = place * width, (place + 1) * width
        facts = counted.get(place, [0, 0, 0])
        if place == last:
            yield _bar(f"{begin:,} and more", f"{column} >= {begin}", *facts)
        else:
            condition = f"{column} >= {begin} AND {column} < {end}"
            yield _bar(f"{begin:,} to {end - 1:,}", condition, *facts)


def _width(usual: int) -> int:
    """Return a round width, of which few enough reach to what is usual.

    >>> _width(60), _width(1900), _width(0)
    (5, 100, 1)
    """
    least = max(1.0, (usual + 1) / (_LENGTH_BARS - 1))
    power: int = 10 ** int(math.log10(least))
    return next(times * power for times in (1, 2, 5, 10) if times * power >= least)


def _told_lengths(lengths: pl.Series, column: str) -> str:
    half, most = (int(lengths.quantile(share, "nearest") or 0) for share in (0.5, 0.95))
    longest = int(lengths.max() or 0)  # type: ignore[arg-type]
    told = f"half of the rows have up to {half:,} {column}, 95 of 100 up to {most:,}"
    return f"{told}, the longest {longest:,}"
