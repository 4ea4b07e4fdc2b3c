"""Each label, source, length or language with its share of what is trained on."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Literal

import numpy as np
import polars as pl

from curate.steps.balancing.cells import Cells, cells_of
from curate.steps.balancing.configs import Balance
from curate.steps.balancing.levels import (
    Amounts,
    capped,
    in_whole_rows,
    raised,
    shared_out,
    tempered,
)
from curate.steps.balancing.measure import measured
from curate.steps.balancing.notes import notes_of
from curate.steps.balancing.rebalance import Held, rebalanced
from curate.steps.base import Depends, Outcome, StepContext, positions, settings_of
from workspace.errors import DataError
from workspace.text import plain


class BalanceStep:
    """Drops rows of groups that have too much and repeats rows of those that have too little."""

    name: ClassVar[str] = "balance"
    scope: ClassVar[Literal["row", "global"]] = "global"

    def __init__(self, config: Balance) -> None:
        self.config = config

    def depends_on(self, context: StepContext) -> Depends | None:
        """Return what the outcome depends on beside the rows; an embedder is known by its name."""
        topics = self.config.topics
        if topics is not None and topics.embedder != "lexical":
            return None
        return settings_of(self.config)

    def apply(self, frame: pl.LazyFrame, context: StepContext) -> Outcome:
        """Bring the groups to what is wanted of each.

        Raises:
            DataError: rows cannot be grouped like this, or the shares cannot be had.
        """
        rows = positions(frame)
        cells = cells_of(
            rows, self.config.by, context, self.config.length_bands, self.config.topics
        )
        held = Held(rows, cells, measured(rows, self.config.count, context))
        wanted = self._wanted(held)
        config = self.config
        at_most = config.target is None and config.temperature is None
        done = rebalanced(self.name, frame, held, wanted, config, context, at_most=at_most)
        return replace(done.outcome, notes=notes_of(held, wanted, done, config))

    def _wanted(self, held: Held) -> Amounts:
        config, sizes = self.config, held.sizes
        if not len(held.cells):
            raise DataError(
                f"no row has a value in {' / '.join(config.by)}",
                cure="Name the label's column (`columns: {label: …}`), or balance `by` another.",
            )
        try:
            wanted = self._levels(sizes, held.cells)
        except ValueError as error:
            raise DataError(
                "the groups cannot have these shares",
                where="balance",
                cause=f"{error}.",
                cure=f"A cap of {np.ceil(1e4 / len(sizes)) / 1e4:.2%} or more works, or one of a "
                "number of tokens or rows.",
            ) from error
        if config.count != "rows":
            return wanted
        whole = in_whole_rows(wanted)
        # A temperature below one may leave a small group half a row: it keeps one.
        return whole if config.temperature is None else np.maximum(whole, wanted > 0)

    def _levels(self, sizes: Amounts, cells: Cells) -> Amounts:
        config = self.config
        if config.temperature is not None:
            return shared_out(sizes, tempered(sizes, config.temperature), config.size)
        if config.target is not None:
            return shared_out(sizes, _shares(config.target, sizes, cells), config.size)
        wanted = sizes if config.cap is None else capped(sizes, config.cap)
        return wanted if config.upsample is None else raised(wanted, config.upsample)


def _shares(target: dict[str, float], sizes: Amounts, cells: Cells) -> Amounts:
    """Return the share of each group; those not named have that of `*`, by their sizes."""
    number = {name: place for place, name in enumerate(cells.names)}
    named = {name: share for name, share in target.items() if name != "*"}
    absent = [name for name in named if name not in number]
    others = np.array([name not in named for name in cells.names])
    unnamed = [shown for shown, other in zip(cells.shown(), others, strict=True) if other]
    if absent or (unnamed and "*" not in target):
        raise DataError(
            f"no row is of {plain(absent[0], 80)!r}" if absent else f"{unnamed[0]!r} has no share",
            where="balance.target",
            cause=f"The groups are: {', '.join(cells.shown()[:20])}.",
            cure="Name each of them, or give the others a share together as `*`.",
        )
    shares = np.zeros(len(cells))
    for name, share in named.items():
        shares[number[name]] = share
    if "*" in target:
        rest = sizes * others
        if not rest.any():
            raise DataError("no group is left for `*`", where="balance.target")
        shares += target["*"] * rest / rest.sum()
    return shares
