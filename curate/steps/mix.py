"""Sources by weight in one dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar, Literal

import numpy as np
import polars as pl

from curate.frame import ROW
from curate.steps.balancing.cells import Cells
from curate.steps.balancing.configs import Mix
from curate.steps.balancing.levels import in_whole_rows, shared_out
from curate.steps.balancing.measure import measured
from curate.steps.balancing.notes import notes_of
from curate.steps.balancing.rebalance import Held, rebalanced
from curate.steps.base import Depends, Outcome, StepContext, positions, settings_of
from workspace.errors import DataError
from workspace.text import plain


class MixStep:
    """Gives each source its share, as `balance` with target shares does to labels."""

    name: ClassVar[str] = "mix"
    scope: ClassVar[Literal["row", "global"]] = "global"

    def __init__(
        self,
        config: Mix,
        entries: Mapping[str, int],
        weights: Sequence[float],
        names: Sequence[str],
    ) -> None:
        """Take what is mixed.

        Args:
            config: how it is counted.
            entries: value of a row's `source` → which of the weights is its own.
            weights: of each thing mixed; their sum counts as 1.
            names: what each is called.
        """
        self.config = config
        self.entries = dict(entries)
        self.weights = np.array(weights, np.float64)
        self.names = tuple(names)

    def depends_on(self, context: StepContext) -> Depends:
        """Return what the outcome depends on beside the rows."""
        return {
            **settings_of(self.config),
            "entries": self.entries,
            "weights": self.weights.tolist(),
            "names": self.names,
        }

    def apply(self, frame: pl.LazyFrame, context: StepContext) -> Outcome:
        """Bring the sources to their shares.

        Raises:
            DataError: one of them has no row left.
        """
        rows = positions(frame)
        named = frame.select(ROW, "source").sort(ROW).collect()["source"]
        entry = named.replace_strict(self.entries, default=-1, return_dtype=pl.Int64)
        cells = Cells(self.names, entry.to_numpy().astype(np.int64))
        held = Held(rows, cells, measured(rows, self.config.count, context))
        empty = np.flatnonzero(held.sizes <= 0)
        if empty.size:
            raise DataError(
                "one of the sources has nothing to mix",
                where=plain(self.names[empty[0]], 200),
                cause=f"It has no {held.measure.unit} after the steps before.",
                cure="Take it out, or loosen the step that drops its rows.",
            )
        wanted = shared_out(held.sizes, self.weights / self.weights.sum(), self.config.size)
        if self.config.count == "rows":
            wanted = in_whole_rows(wanted)
        done = rebalanced(self.name, frame, held, wanted, self.config, context, at_most=False)
        share = done.after / max(done.after.sum(), 1.0)
        told = ", ".join(
            f"{name} {part:.1%}" for name, part in zip(cells.shown(), share.tolist(), strict=True)
        )
        notes = (
            f"Shares of {held.measure.unit}: {told}.",
            *notes_of(held, wanted, done, self.config),
        )
        return replace(done.outcome, notes=notes)
