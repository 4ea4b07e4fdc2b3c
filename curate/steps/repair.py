"""Encoding damage repaired, invisible characters taken out, one Unicode form."""

from __future__ import annotations

from functools import partial
from typing import ClassVar, Literal

import numpy as np
import polars as pl

from curate.frame import ROW
from curate.reasons import Reason
from curate.steps.base import Depends, Outcome, StepContext, dropped_rows, settings_of
from curate.steps.quality.cells import Rewritten, blocks, counted, row_text, visit_row
from curate.steps.quality.configs import Repair
from curate.steps.quality.mending import Mended, mend
from curate.texts import TYPES

_ODD = r"[^\t\n\r\x0c -~]"
"""What any damage has: a character beyond printable ASCII."""


class RepairStep:
    """Rewrites the rows that hold damage; no row is dropped."""

    name: ClassVar[str] = "repair"
    scope: ClassVar[Literal["row", "global"]] = "row"

    def __init__(self, config: Repair) -> None:
        self.config = config

    def depends_on(self, context: StepContext) -> Depends:
        """Return what the outcome depends on beside the rows."""
        return settings_of(self.config)

    def apply(self, frame: pl.LazyFrame, context: StepContext) -> Outcome:
        """Return all rows, the damaged ones mended."""
        kind = context.type
        columns = tuple(name for name in TYPES[kind].all if name != "label")
        rewritten, total = Rewritten(columns), Mended()
        odd = row_text(kind).str.contains(_ODD).alias("\x00odd")
        for block in blocks(frame, context, [*TYPES[kind].all, odd]):
            self._block(block.filter("\x00odd"), kind, rewritten, total)
        nothing = dropped_rows(self.name, np.empty(0, np.int64), Reason.MOJIBAKE, [])
        return rewritten.outcome(frame, self.name, nothing, _notes(total))

    def _block(self, block: pl.DataFrame, kind: str, rewritten: Rewritten, total: Mended) -> None:
        rows, reasons, details, values = [], [], [], []
        for row in block.iter_rows(named=True):
            done = Mended()
            new = visit_row(row, kind, partial(self._mend, done), calls=False)
            if not (done.mojibake or done.controls or done.forms):
                continue
            rows.append(row[ROW])
            reasons.append(_reason(done).value)
            details.append(_detail(done))
            values.append({name: new[name] for name in rewritten.columns})
            total.mojibake += done.mojibake
            total.controls += done.controls
            total.forms += done.forms
        rewritten.add(block, rows, reasons, details, values)

    def _mend(self, done: Mended, text: str) -> str:
        config = self.config
        return mend(text, done, encoding=config.encoding, controls=config.controls, nfc=config.nfc)


def _reason(done: Mended) -> Reason:
    if done.mojibake:
        return Reason.MOJIBAKE
    return Reason.CONTROL_CHARACTERS if done.controls else Reason.UNICODE_FORM


def _detail(done: Mended) -> str:
    said = []
    if done.mojibake:
        said.append(f"{counted(done.mojibake, 'sequence')} of mojibake repaired")
    if done.controls:
        said.append(f"{counted(done.controls, 'control or invisible character')} taken out")
    if done.forms:
        said.append(f"{counted(done.forms, 'passage')} brought to NFC")
    return "; ".join(said)


def _notes(total: Mended) -> tuple[str, ...]:
    said = _detail(total)
    return (f"{said}.",) if said else ()
