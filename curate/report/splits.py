"""The splits: their sizes, and whether each label has its share in each."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from curate.ledger import Ledger
from workspace.text import plain

_STRATA = 12
_LONGEST_NAME = 60


@dataclass(frozen=True)
class SplitPart:
    """One split."""

    name: str
    rows: int
    tokens: int | None
    share: float
    """Per cent of the kept rows."""


@dataclass(frozen=True)
class Stratum:
    """One label: rows in each split, and the per cent of the split's rows."""

    name: str
    rows: tuple[int, ...]
    shares: tuple[float, ...]

    @property
    def apart(self) -> float:
        """Percentage points between its largest and its smallest share."""
        return max(self.shares) - min(self.shares)


@dataclass(frozen=True)
class Strata:
    """The labels (or sources) of which shares differ most."""

    of: str
    rows: tuple[Stratum, ...]
    all: int
    """How many there are."""


@dataclass(frozen=True)
class Splits:
    """What is where."""

    parts: tuple[SplitPart, ...]
    strata: tuple[Strata, ...]
    largest_group: int
    """Rows in the largest group of alike rows."""
    groups: int


def splits_of(ledger: Ledger, rows: pl.DataFrame) -> Splits:
    """Return the splits.

    Args:
        ledger: has their sizes.
        rows: `split`, `group`, `label` and `source` of each kept row.
    """
    total = max(ledger.rows_kept, 1)
    parts = tuple(
        SplitPart(name, count.rows, count.tokens, 100 * count.rows / total)
        for name, count in ledger.splits.items()
    )
    names = [part.name for part in parts]
    groups = rows["group"].value_counts()["count"]
    strata = [_strata(rows, of, names) for of in ("label", "source")] if len(names) > 1 else []
    return Splits(
        parts,
        tuple(one for one in strata if one is not None),
        int(groups.max() or 0),  # type: ignore[arg-type]
        groups.len(),
    )


def _strata(rows: pl.DataFrame, of: str, splits: list[str]) -> Strata | None:
    counts = rows.drop_nulls(of).group_by(of, "split").len()
    table = counts.pivot("split", index=of, values="len").fill_null(0)
    if table.height < 2:
        return None
    nowhere = [0] * table.height
    columns = [table[name].to_list() if name in table.columns else nowhere for name in splits]
    sums = [int(rows.filter(pl.col("split") == name).height) for name in splits]
    found = []
    for place, name in enumerate(table[of]):
        numbers = tuple(int(column[place]) for column in columns)
        share = tuple(100 * n / max(size, 1) for n, size in zip(numbers, sums, strict=True))
        found.append(Stratum(plain(name, _LONGEST_NAME), numbers, share))
    found.sort(key=lambda one: (-one.apart, one.name))
    return Strata(of, tuple(found[:_STRATA]), len(found))
