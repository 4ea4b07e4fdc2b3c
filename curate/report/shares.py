"""How rows are shared out among labels, sources, languages …, before and after."""

from __future__ import annotations

import math
from dataclasses import dataclass

import polars as pl

from workspace.text import plain

SHOWN = 12
"""Groups that are drawn; the others are summed up."""
NONE = "(none)"
_LONGEST_NAME = 80


@dataclass(frozen=True)
class Share:
    """One group; shares are per cent of the rows of each side."""

    name: str
    before: int
    after: int
    before_share: float
    after_share: float

    @property
    def moved(self) -> float:
        """Percentage points from before to after."""
        return self.after_share - self.before_share


@dataclass(frozen=True)
class Evenness:
    """How evenly rows lie over groups."""

    groups: int
    largest_share: float
    """Per cent of the rows in the largest group."""
    ratio: float
    """Rows of the largest group for each row of the smallest."""
    effective: float
    """As many groups of equal size would be as even: e to the power of Shannon's entropy."""


@dataclass(frozen=True)
class Shares:
    """All groups of one kind."""

    name: str
    title: str
    shown: tuple[Share, ...]
    """The largest first."""
    others: Share | None
    """The groups that are not shown, together."""
    hidden: int
    """How many those are."""
    before: Evenness | None
    after: Evenness
    hint: str

    @property
    def single(self) -> str:
        """The only group there is on both sides; empty where there are several."""
        return self.shown[0].name if len(self.shown) == 1 and not self.others else ""

    @property
    def widest(self) -> float:
        """The largest share of a group, per cent."""
        return max([max(one.before_share, one.after_share) for one in self.shown], default=0) or 100

    @property
    def lost(self) -> int:
        """Groups that had rows before and have none now."""
        return max(0, (self.before.groups if self.before else 0) - self.after.groups)


def shares(
    name: str,
    title: str,
    before: pl.Series | None,
    after: pl.Series,
    hint: str = "",
    stands_for: tuple[float, float] = (1.0, 1.0),
) -> Shares | None:
    """Count groups; None where no row has a value.

    Args:
        name: of the picture, for its anchor.
        title: heading.
        before: the group of each row read; None: there were none.
        after: of each row kept.
        hint: what a reader should know of the groups.
        stands_for: how many rows each value of either side stands for, where they are a sample.
    """
    sides = [_counted(side, rows) for side, rows in zip((before, after), stands_for, strict=True)]
    if not any(name is not None for side in sides for name in side):
        return None
    totals = [max(sum(side.values()), 1) for side in sides]
    rows = [
        Share(
            NONE if group is None else plain(group, _LONGEST_NAME) or "(empty)",
            sides[0].get(group, 0),
            sides[1].get(group, 0),
            100 * sides[0].get(group, 0) / totals[0],
            100 * sides[1].get(group, 0) / totals[1],
        )
        for group in {**sides[1], **sides[0]}
    ]
    rows.sort(key=lambda one: (-max(one.before, one.after), one.name))
    shown, rest = (rows, []) if len(rows) <= SHOWN + 1 else (rows[:SHOWN], rows[SHOWN:])
    return Shares(
        name,
        title,
        tuple(shown),
        _together(rest) if rest else None,
        len(rest),
        _evenness(sides[0]) if before is not None else None,
        _evenness(sides[1]),
        hint,
    )


def _counted(side: pl.Series | None, stands_for: float) -> dict[str | None, int]:
    if side is None:
        return {}
    counts = side.alias("group").value_counts()
    ordered = counts.sort("count", "group", descending=[True, False])
    return {group: round(count * stands_for) for group, count in ordered.iter_rows()}


def _together(rows: list[Share]) -> Share:
    return Share(
        f"{len(rows):,} others",
        sum(one.before for one in rows),
        sum(one.after for one in rows),
        sum(one.before_share for one in rows),
        sum(one.after_share for one in rows),
    )


def _evenness(counts: dict[str | None, int]) -> Evenness:
    sizes = [count for group, count in counts.items() if group is not None and count]
    total = sum(sizes)
    if not total:
        return Evenness(0, 0.0, 0.0, 0.0)
    entropy = -sum(size / total * math.log(size / total) for size in sizes)
    return Evenness(
        len(sizes), 100 * max(sizes) / total, max(sizes) / min(sizes), math.exp(entropy)
    )
