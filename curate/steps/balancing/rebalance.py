"""From how much of each group is wanted to which rows go and which are repeated.

In each group the rows stand in an order; those that stay are the first of it, and copies are made
of the first as well. So a row added to a group moves no other row, it only pushes out the last.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
import polars_hash as plh
from numpy.typing import NDArray

from curate.frame import ROW
from curate.reasons import Reason
from curate.scores import score, score_names
from curate.steps.balancing.cells import Cells
from curate.steps.balancing.configs import Keep, Rebalance
from curate.steps.balancing.levels import Amounts
from curate.steps.balancing.measure import Measure
from curate.steps.base import Outcome, StepContext, altered_rows, dropped_rows
from workspace.errors import DataError

Rows = NDArray[np.int64]
_ORDERED_BY = {
    "hash": "by hash",
    "first": "in their order",
    "longest": "by length",
    "quality": "by quality",
}


@dataclass(frozen=True)
class Held:
    """What a rebalancing works on; arrays have shape (rows,)."""

    rows: Rows
    """Positions, ascending."""
    cells: Cells
    measure: Measure

    @property
    def sizes(self) -> Amounts:
        """Amount of each group, shape (groups,)."""
        inside = self.cells.of >= 0
        total = np.bincount(
            self.cells.of[inside], self.measure.amount[inside], minlength=len(self.cells)
        )
        return np.asarray(total, np.float64)


@dataclass(frozen=True)
class Rebalanced:
    """What was done, and what it came to."""

    outcome: Outcome
    after: Amounts
    """Amount of each group now, shape (groups,)."""


def rebalanced(
    step: str,
    frame: pl.LazyFrame,
    held: Held,
    wanted: Amounts,
    config: Rebalance,
    context: StepContext,
    *,
    at_most: bool,
) -> Rebalanced:
    """Drop rows of groups with too much, repeat rows of groups with too little.

    A group keeps at least one row, unless nothing of it is wanted.

    Args:
        step: who does it.
        frame: the rows that are still there.
        held: what is known of them.
        wanted: amount of each group, shape (groups,).
        config: order, seed and repeats.
        context: knows all rows.
        at_most: never more than wanted; otherwise the nearest whole row.
    """
    order = _in_order(held, config, context)
    cell, amount = held.cells.of[order], held.measure.amount[order]
    begins = np.searchsorted(cell, np.arange(len(held.cells)))
    place = np.arange(order.size) - begins[cell]
    total = np.cumsum(amount)
    upto = total - (total[begins] - amount[begins])[cell]
    sizes = held.sizes
    slack = 0.0 if at_most else 0.5
    stays = upto - slack * amount <= wanted[cell] + 1e-9
    stays |= (place == 0) & (wanted[cell] > 0)
    stays |= wanted[cell] >= sizes[cell]
    gone = _dropped(step, held, order, upto, wanted, ~stays, config)
    copies = _copies(cell, amount, upto, sizes, wanted, config.max_repeats, slack)
    now = np.bincount(cell, amount * (stays + copies), minlength=len(held.cells))
    outcome = _outcome(step, frame, held, gone, order, copies, wanted, context)
    return Rebalanced(outcome, np.asarray(now, np.float64))


def _in_order(held: Held, config: Rebalance, context: StepContext) -> Rows:
    """Return places in `held.rows` of the rows that are in a group: by group, then as kept."""
    inside = np.flatnonzero(held.cells.of >= 0)
    rows = held.rows[inside]
    made = context.base.select(ROW, pl.col("parents").list.len().fill_null(0) > 0).sort(ROW)
    last = made.collect()["parents"].to_numpy()[rows]
    rank = _rank(rows, config.keep, config.seed, context)
    return inside[np.lexsort((rows, rank, last, held.cells.of[inside]))]


def _rank(rows: Rows, keep: Keep, seed: int, context: StepContext) -> NDArray[np.number]:
    """Return numbers of which the smallest come first."""
    if keep == "first":
        return rows
    if keep == "longest":
        return -context.answers.lengths[rows]
    if keep == "quality":
        return -quality_of(rows, "quality", context)
    named = context.ids.gather(rows).alias("id").to_frame()
    salted = named.select(pl.concat_str(pl.lit(f"{seed}:"), "id").alias("id"))
    hashed = salted.select(plh.col("id").nchash.xxh3_64())["id"]
    return hashed.to_numpy().astype(np.uint64)


def quality_of(rows: Rows, column: str, context: StepContext) -> NDArray[np.float64]:
    """Return a column of numbers or a score; a row without one counts as the lowest.

    A score with a hyphen before it (`-perplexity`) is the better the lower it is.

    Raises:
        DataError: there is no such column, or it holds no number.
    """
    schema = context.base.collect_schema()
    numeric = [name for name, kind in schema.items() if kind.is_numeric() and name != ROW]
    scores = score_names(context.base)
    found = value = None
    if column.removeprefix("-") in scores:
        value = score(column.removeprefix("-")) * (-1.0 if column.startswith("-") else 1.0)
    elif column in numeric:
        value = pl.col(column).cast(pl.Float64)
    if value is not None:
        finite = pl.when(value.is_finite()).then(value)
        found = context.base.select(ROW, finite.alias("q")).sort(ROW).collect()["q"].gather(rows)
    if found is None or found.null_count() == len(found):
        raise DataError(
            f"no row has a number in the column {column!r}",
            cause=f"Columns of numbers and scores are {', '.join([*numeric, *scores]) or 'none'}.",
            cure="Name the file's column: `columns: {quality: score}`, or choose another order.",
        )
    lowest = float(found.min())  # type: ignore[arg-type]
    return found.fill_null(lowest).to_numpy().astype(np.float64)


def _dropped(
    step: str,
    held: Held,
    order: Rows,
    upto: Amounts,
    wanted: Amounts,
    goes: NDArray[np.bool_],
    config: Rebalance,
) -> pl.DataFrame:
    names, sizes, unit = held.cells.shown(), held.sizes, held.measure.unit
    chosen = order[goes]
    cells = held.cells.of[chosen]
    how = _ORDERED_BY[config.keep]
    detail = [
        f"{names[cell]}: {reached:,.0f} of {sizes[cell]:,.0f} {unit} with this row, {how}; "
        f"{wanted[cell]:,.0f} wanted"
        for cell, reached in zip(cells.tolist(), upto[goes].tolist(), strict=True)
    ]
    rows = held.rows[chosen]
    account = dropped_rows(step, rows, Reason.OVER_SHARE, detail)
    return account.sort(ROW)


def _copies(
    cell: Rows,
    amount: Amounts,
    upto: Amounts,
    sizes: Amounts,
    wanted: Amounts,
    max_repeats: int,
    slack: float,
) -> Rows:
    """Return how many copies are made of each row: whole rounds, then the first once more."""
    size = np.where(sizes > 0, sizes, 1.0)
    lacking = np.maximum(wanted - sizes, 0.0) * (sizes > 0)
    rounds = np.minimum(np.floor(lacking / size + 1e-9), max_repeats - 1)
    rest = np.where(rounds < max_repeats - 1, lacking - rounds * size, 0.0)
    once_more = upto - slack * amount <= rest[cell] + 1e-9
    return (rounds[cell] + (once_more & (rest[cell] > 1e-9))).astype(np.int64)


def _outcome(
    step: str,
    frame: pl.LazyFrame,
    held: Held,
    gone: pl.DataFrame,
    order: Rows,
    copies: Rows,
    wanted: Amounts,
    context: StepContext,
) -> Outcome:
    kept = frame.join(gone.lazy().select(ROW), on=ROW, how="anti", maintain_order="left")
    if not copies.any():
        return Outcome(kept if gone.height else frame, gone)
    parent = np.repeat(held.rows[order], copies)
    nth = np.concatenate([np.arange(1, many + 1) for many in copies[copies > 0].tolist()])
    cell = np.repeat(held.cells.of[order], copies)
    sequence = np.lexsort((parent, nth))
    parent, nth, cell = parent[sequence], nth[sequence], cell[sequence]
    rows = np.arange(parent.size, dtype=np.int64) + len(context.ids)
    table = pl.DataFrame(
        {ROW: parent, "_new": rows, "_id": _ids_of_copies(step, parent, nth, context)}
    )
    columns = frame.collect_schema().names()
    made = frame.join(table.lazy(), on=ROW, how="inner").sort("_new")
    made = made.with_columns(
        pl.concat_list("id").alias("parents"), pl.col("_id").alias("id"), pl.col("_new").alias(ROW)
    ).select(columns)
    names, sizes, unit = held.cells.shown(), held.sizes, held.measure.unit
    of = context.ids.gather(parent)
    detail = [
        f"copy {number} of {name}: {names[where]} has {sizes[where]:,.0f} {unit}, "
        f"{wanted[where]:,.0f} wanted"
        for number, name, where in zip(nth.tolist(), of, cell.tolist(), strict=True)
    ]
    account = altered_rows(step, rows, [Reason.REPEATED.value] * rows.size, detail)
    return Outcome(pl.concat([kept, made]), gone, made=account)


def _ids_of_copies(step: str, parent: Rows, nth: Rows, context: StepContext) -> pl.Series:
    """Return an id for each copy, made of the parent's; another step's copies have others."""
    taken = context.ids
    for again in range(len(taken) + 1):
        names = pl.DataFrame({"parent": context.ids.gather(parent), "nth": nth}).select(
            pl.concat_str("parent", pl.lit(f"\x1f{step}\x1f{again}\x1f"), "nth").alias("id")
        )
        ids = names.select(plh.col("id").chash.sha2_256().str.slice(0, 32))["id"]
        if not ids.is_in(taken.implode()).any():
            break
    return ids
