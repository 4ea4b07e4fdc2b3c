"""A look at the conventions of rows, for the command and for Python: nothing is changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from curate.conventions.configs import Consistency
from curate.conventions.findings import Finding
from curate.conventions.report import shown
from curate.conventions.survey import columns
from curate.frame import ROW
from curate.steps.base import StepContext
from curate.steps.consistency import ConsistencyStep, detail
from curate.texts import TYPES
from workspace.files import atomic_path

_BATCH = 5_000


@dataclass(frozen=True)
class Consistent:
    """What was found about the conventions of a dataset."""

    findings: tuple[Finding, ...]
    rows: int
    """Rows that were looked at."""
    frame: pl.LazyFrame
    """They, with `_row`."""
    type: str

    @property
    def departing(self) -> pl.DataFrame:
        """One line for each row and convention it departs from: `_row`, `aspect`, `form`, `detail`,
        in the order of the rows."""
        parts = [
            pl.DataFrame(
                {
                    ROW: one.rows,
                    "aspect": [one.aspect] * one.rows.size,
                    "form": [one.form] * one.rows.size,
                    "detail": [detail(one, what) for what in one.instead],
                },
                schema=_DEPARTING,
            )
            for one in self.findings
            if one.level == "departing"
        ]
        empty = pl.DataFrame(schema=_DEPARTING)
        return pl.concat([empty, *parts]).sort(ROW, maintain_order=True)

    def document(self) -> dict[str, Any]:
        """Return what was found for JSON."""
        return {
            "schema_version": 1,
            "type": self.type,
            "rows": self.rows,
            "departing_rows": self.departing[ROW].n_unique(),
            "findings": [one.document() for one in self.findings],
        }

    def write_departing(self, path: Path) -> int:
        """Write the rows that depart as JSON Lines, each with its `departs`; return how many.

        Each line can be read back by `temper curate`: its content stands under the usual names.
        """
        told = self.departing.group_by(ROW, maintain_order=True).agg("detail")
        kept = [*TYPES[self.type].all, "tools", "id", "source", "row"]
        held = self.frame.join(told.lazy(), on=ROW, how="inner", maintain_order="left")
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            for begin in range(0, told.height, _BATCH):
                block = held.slice(begin, _BATCH).select(*kept, pl.col("detail").alias("departs"))
                for row in block.collect().iter_rows(named=True):
                    file.write(orjson.dumps(_filled(row)) + b"\n")
        return told.height


_DEPARTING: dict[str, Any] = {
    ROW: pl.Int64,
    "aspect": pl.String,
    "form": pl.Boolean,
    "detail": pl.String,
}


def _filled(row: dict[str, Any]) -> dict[str, Any]:
    return {name: _turns(value) for name, value in row.items() if value is not None}


def _turns(value: Any) -> Any:
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return [dict(_present(turn)) for turn in value]
    return value


def _present(turn: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    return ((name, item) for name, item in turn.items() if item is not None)


def look(frame: pl.LazyFrame, context: StepContext, config: Consistency) -> Consistent:
    """Return what there is to say about the conventions of these rows, with examples.

    Args:
        frame: the rows, with `_row`.
        context: over the same rows.
        config: what makes a convention.
    """
    found = ConsistencyStep(config).look(frame, context)
    said = columns(context.type)[0]
    return Consistent(
        tuple(shown(found, frame, said)),
        int(frame.select(pl.len()).collect().item()),
        frame,
        context.type,
    )
