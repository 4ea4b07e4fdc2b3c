"""What a rebalancing says about itself."""

from __future__ import annotations

import numpy as np

from curate.steps.balancing.configs import Rebalance
from curate.steps.balancing.levels import Amounts
from curate.steps.balancing.rebalance import Held, Rebalanced

_SHOWN = 8


def notes_of(held: Held, wanted: Amounts, done: Rebalanced, config: Rebalance) -> tuple[str, ...]:
    """Return what a person should know, one sentence each."""
    before, after = held.sizes, done.after
    names, unit = held.cells.shown(), held.measure.unit
    notes = [_spread(names, before, after, unit)]
    if held.measure.note:
        notes.append(held.measure.note)
    without = int((held.cells.of < 0).sum())
    if without:
        notes.append(f"{without:,} rows are of no group and were left as they are.")
    short = np.flatnonzero(wanted > before * config.max_repeats * (1 + 1e-9))
    if short.size:
        first = short[:_SHOWN]
        told = ", ".join(f"{names[i]} {after[i]:,.0f} of {wanted[i]:,.0f}" for i in first)
        notes.append(
            f"WARNING: {short.size} of {len(names)} groups have less than wanted, because no row "
            f"is there more than {config.max_repeats} times (max_repeats): {told}"
            + (" …." if short.size > _SHOWN else ".")
        )
    if done.outcome.made.height:
        notes.append(
            f"{done.outcome.made.height:,} copies were made. What is repeated cannot be in the "
            "test split: to measure rare groups, split first and balance the train rows."
        )
    return tuple(notes)


def _spread(names: list[str], before: Amounts, after: Amounts, unit: str) -> str:
    """Return how much the groups had and have: all of a few, the extremes of many."""
    if len(names) <= _SHOWN:
        parts = [
            f"{name} {had:,.0f} → {has:,.0f}"
            for name, had, has in zip(names, before.tolist(), after.tolist(), strict=True)
        ]
        return f"{', '.join(parts)} {unit}."
    return (
        f"{len(names)} groups had {before.min():,.0f} to {before.max():,.0f} {unit} "
        f"({before.sum():,.0f} in all), and have {after.min():,.0f} to {after.max():,.0f} "
        f"({after.sum():,.0f})."
    )
