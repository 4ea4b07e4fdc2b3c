"""Personal data and keys: replaced by placeholders, or the row dropped."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any, ClassVar, Literal

import numpy as np
import polars as pl

from curate.frame import ROW
from curate.private import private_path
from curate.reasons import Reason
from curate.steps.base import Depends, Outcome, Private, StepContext, dropped_rows, settings_of
from curate.steps.quality.cells import Rewritten, blocks, visit_row
from curate.steps.quality.configs import Redact
from curate.steps.quality.personal import MIGHT_HOLD
from curate.steps.quality.placeholders import Masker, told
from curate.steps.quality.presidio import Recogniser, recogniser
from curate.steps.quality.spans import Named
from curate.texts import TYPES, canonical

_ALSO = ("tools", "user_id", "user_label")
_AT_ONCE = 500
"""Rows that a recogniser reads between two lines of progress."""
_MAP = {"id": pl.String, "kind": pl.String, "placeholder": pl.String, "value": pl.String}


class RedactStep:
    """Looks at the whole row: turns, tool calls, tools, and the row's own id and label."""

    name: ClassVar[str] = "redact"
    scope: ClassVar[Literal["row", "global"]] = "row"

    def __init__(self, config: Redact) -> None:
        self.config = config

    def depends_on(self, context: StepContext) -> Depends | None:
        """Return what the outcome depends on beside the rows.

        A map of secrets is kept nowhere, and a recogniser's model is not known by its content.
        """
        kept = self.config.map is None and self.config.presidio is None
        return settings_of(self.config) if kept else None

    def apply(self, frame: pl.LazyFrame, context: StepContext) -> Outcome:
        """Return the rows without personal data."""
        path = private_path(self.config.map, context)
        kind = context.type
        found = _Found(Rewritten((*(c for c in TYPES[kind].all if c != "label"), *_ALSO)))
        columns: list[str | pl.Expr] = [
            *TYPES[kind].all,
            *_ALSO,
            "id",
            _might_hold(kind).alias("\x00might"),
        ]
        asked = self.config.presidio
        reader = _Reader(recogniser(asked, context.base_dir), context) if asked else None
        for block in blocks(frame, context, columns):
            if reader is None:
                self._block(block.filter("\x00might"), kind, found, {})
                continue
            for some in block.iter_slices(_AT_ONCE):
                self._block(some, kind, found, reader.read(some, kind))
        dropped = dropped_rows(
            self.name, np.array(found.gone, np.int64), Reason.PERSONAL_DATA, found.why
        )
        outcome = found.rewritten.outcome(frame, self.name, dropped, _notes(found.total, reader))
        if path is None:
            return outcome
        rows = pl.DataFrame(found.map, schema=_MAP, orient="row")
        return Outcome(
            outcome.kept,
            outcome.dropped,
            outcome.notes,
            changed=outcome.changed,
            private=Private(path, rows),
        )

    def _block(
        self, block: pl.DataFrame, kind: str, found: _Found, named: dict[str, list[Named]]
    ) -> None:
        rows, details, values = [], [], []
        for row in block.iter_rows(named=True):
            masker = Masker(self.config.kinds, named)
            new = _masked_row(row, kind, masker)
            if not masker.finds:
                continue
            found.total.update(masker.finds)
            if self.config.action == "drop":
                found.gone.append(row[ROW])
                found.why.append(f"holds {told(masker.finds)}")
                continue
            rows.append(row[ROW])
            details.append(f"{told(masker.finds)} replaced")
            values.append({name: new[name] for name in found.rewritten.columns})
            found.map += [
                (row["id"], name[1:-1].rpartition("_")[0].lower(), name, value)
                for name, value in masker.originals.items()
            ]
        reasons = [Reason.PERSONAL_DATA.value] * len(rows)
        found.rewritten.add(block, rows, reasons, details, values)


class _Found:
    """What the step gathers."""

    def __init__(self, rewritten: Rewritten) -> None:
        self.rewritten = rewritten
        self.gone: list[int] = []
        self.why: list[str] = []
        self.total: Counter[str] = Counter()
        self.map: list[tuple[str, str, str, str]] = []


def _might_hold(kind: str) -> pl.Expr:
    own = [pl.col(name).fill_null("") for name in ("user_id", "user_label")]
    return pl.concat_str(canonical(kind), *own, separator="\n").str.contains(MIGHT_HOLD)


def _masked_row(row: dict[str, Any], kind: str, masker: Masker) -> dict[str, Any]:
    visit_row(row, kind, masker.reserve, calls=True, also=_ALSO)
    new = visit_row(row, kind, masker.mask, calls=True, also=("user_id",))
    for name in ("tools", "user_label"):
        new[name] = None if row[name] is None else masker.mask_mark(row[name])
    return new


class _Reader:
    """Reads rows with a recogniser, and tells how fast."""

    def __init__(self, recogniser: Recogniser, context: StepContext) -> None:
        self._recogniser = recogniser
        self._context = context
        self._begun = time.monotonic()
        self.rows = 0
        self.characters = 0

    @property
    def speed(self) -> str:
        """Rows and characters in a second so far."""
        seconds = max(time.monotonic() - self._begun, 0.001)
        return (
            f"{self.rows / seconds:,.0f} rows, {self.characters / seconds:,.0f} characters a second"
        )

    def read(self, block: pl.DataFrame, kind: str) -> dict[str, list[Named]]:
        """Return what is found in each text of some rows."""
        texts: list[str] = []

        def gather(text: str) -> str:
            texts.append(text)
            return text

        for row in block.iter_rows(named=True):
            visit_row(row, kind, gather, calls=True, also=("user_id",))
        found = self._recogniser.read(texts)
        self.rows += block.height
        self.characters += sum(map(len, texts))
        total = len(self._context.ids)
        self._context.tell(f"redact: Presidio read {self.rows:,} of {total:,} rows, {self.speed}")
        return found


def _notes(total: Counter[str], reader: _Reader | None) -> tuple[str, ...]:
    found = (f"Found {told(total)}.",) if total else ()
    read = (f"Presidio read {reader.rows:,} rows: {reader.speed}.",) if reader else ()
    return found + read
