"""Rows that were made: by whom, at what cost, and some of them beside their parents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from curate.ledger import Ledger
from curate.reasons import Reason
from curate.report.excerpt import excerpt
from curate.report.room import Room
from curate.report.rows import ShownRow

SHOWN = 12
_TEXT = 450


@dataclass(frozen=True)
class Maker:
    """One generator with one model."""

    generator: str
    model: str
    """Empty: rules alone."""
    accepted: int
    begun: int
    input_tokens: int
    output_tokens: int
    cost: float


@dataclass(frozen=True)
class MadeExample:
    """A made row and what it was made from."""

    row: ShownRow
    asks: str
    says: str
    how: str
    verified: str
    similarity: float | None
    parents: tuple[ShownRow, ...]


@dataclass(frozen=True)
class Made:
    """All that was made."""

    makers: tuple[Maker, ...]
    examples: tuple[MadeExample, ...]
    copies: int
    """Rows that are copies of others, so that a group has its share."""

    @property
    def cost(self) -> float:
        """Of all requests, in the currency of the recipe's prices."""
        return sum(maker.cost for maker in self.makers)


def copies_in(ledger: Ledger) -> int:
    """Return how many rows steps repeated."""
    return sum(
        count.rows
        for entry in ledger.entries
        for reason, count in entry.made.items()
        if reason == Reason.REPEATED
    )


def chosen_made(table: pl.DataFrame | None) -> pl.DataFrame:
    """Return lines of `made.parquet` to show: some of each generator, spread over its rows."""
    if table is None:
        return pl.DataFrame(schema={"id": pl.String, "parents": pl.List(pl.String)})
    accepted = table.filter("accepted")
    each = max(1, SHOWN // max(accepted["generator"].n_unique(), 1))
    place, size = pl.int_range(pl.len()).over("generator"), pl.len().over("generator")
    step = (size // each).clip(1)
    return accepted.filter((place % step == 0) & (place // step < each)).head(SHOWN)


def makers_of(table: pl.DataFrame | None) -> tuple[Maker, ...]:
    """Return what each generator made with each model, and what that cost."""
    if table is None:
        return ()
    sums = (
        table.group_by("generator", "model", maintain_order=True)
        .agg(
            pl.col("accepted").sum().alias("kept"),
            pl.len().alias("begun"),
            pl.col("input_tokens").sum(),
            pl.col("output_tokens").sum(),
            pl.col("cost").sum(),
        )
        .sort("kept", "generator", "model", descending=[True, False, False], nulls_last=True)
    )
    return tuple(
        Maker(generator, model or "", int(kept), int(begun), int(read), int(said), float(cost or 0))
        for generator, model, kept, begun, read, said, cost in sums.iter_rows()
    )


def made_examples(
    chosen: pl.DataFrame,
    rows: Mapping[str, ShownRow],
    parents: pl.DataFrame,
    room: Room,
) -> tuple[MadeExample, ...]:
    """Return the chosen rows beside their parents.

    Args:
        chosen: from `chosen_made`.
        rows: their texts by id, and those of parents that are rows of this dataset.
        parents: texts of other parents; columns of `PARENTS`.
        room: what they may take of the page.
    """
    elsewhere = {
        row[0]: ShownRow(row[0], row[0][:12], "in the source dataset", row[1], row[2])
        for row in parents.iter_rows()
    }
    known = {**elsewhere, **rows}
    examples = []
    for line in chosen.iter_rows(named=True):
        row = rows.get(line["id"])
        if row is None:
            continue
        origins = tuple(_cut(known[one]) for one in line["parents"] or () if one in known)
        how = " · ".join(filter(None, (line["generator"], line["model"], line["note"])))
        example = MadeExample(
            row,
            excerpt(row.asks, _TEXT),
            excerpt(row.says, _TEXT),
            how,
            line["verified"] or "",
            line["similarity"],
            origins[:2],
        )
        texts = [text for one in example.parents for text in (one.asks, one.says)]
        if room.takes(example.asks, example.says, how, example.verified, *texts):
            examples.append(example)
    return tuple(examples)


def _cut(row: ShownRow) -> ShownRow:
    asks, says = excerpt(row.asks, _TEXT), excerpt(row.says, _TEXT)
    return ShownRow(row.id, row.place, row.state, asks, says)
