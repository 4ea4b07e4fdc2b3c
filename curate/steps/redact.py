"""Personal data and keys: replaced by placeholders, or the row dropped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
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
from curate.texts import TYPES, canonical

_ALSO = ("tools", "user_id", "user_label")
_MAP = {"id": pl.String, "kind": pl.String, "placeholder": pl.String, "value": pl.String}


class RedactStep:
    """Looks at the whole row: turns, tool calls, tools, and the row's own id and label."""

    name: ClassVar[str] = "redact"
    scope: ClassVar[Literal["row", "global"]] = "row"

    def __init__(self, config: Redact) -> None:
        self.config = config

    def depends_on(self, context: StepContext) -> Depends | None:
        """Return what the outcome depends on beside the rows; a map of secrets is kept nowhere."""
        return None if self.config.map else settings_of(self.config)

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
        for block in blocks(frame, context, columns):
            self._block(block.filter("\x00might"), kind, found)
        dropped = dropped_rows(
            self.name, np.array(found.gone, np.int64), Reason.PERSONAL_DATA, found.why
        )
        outcome = found.rewritten.outcome(frame, self.name, dropped, _notes(found.total))
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

    def _block(self, block: pl.DataFrame, kind: str, found: _Found) -> None:
        rows, details, values = [], [], []
        for row in block.iter_rows(named=True):
            masker = Masker(self.config.kinds)
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
                (row["id"], name[1:-1].split("_")[0].lower(), name, value)
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
    return visit_row(row, kind, masker.mask, calls=True, also=_ALSO)


def _notes(total: Counter[str]) -> tuple[str, ...]:
    return (f"Found {told(total)}.",) if total else ()


def hidden(frame: pl.DataFrame, kinds: Sequence[str]) -> pl.DataFrame:
    """Return rows that are not kept with their personal data masked, whatever columns they have."""
    columns = [name for name in frame.columns if name not in _KEPT and _has_text(frame[name])]
    if not columns or frame.is_empty():
        return frame
    texts = [_flat(name, frame.schema[name]) for name in columns]
    might = pl.concat_str(texts, separator="\n").str.contains(MIGHT_HOLD)
    numbered = frame.with_row_index("\x00n")
    some = numbered.filter(might).select("\x00n", *columns)
    values = []
    for row in some.iter_rows(named=True):
        masker = Masker(kinds)
        for name in columns:
            _walk(row[name], masker.reserve)
        values.append({name: _walk(row[name], masker.mask) for name in columns})
    schema = {name: frame.schema[name] for name in columns}
    new = pl.DataFrame(values, schema=schema).with_columns(some["\x00n"])
    both = numbered.update(new, on="\x00n", how="left") if values else numbered
    return both.drop("\x00n")


def _walk(value: Any, visit: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return visit(value)
    if isinstance(value, list):
        return [_walk(item, visit) for item in value]
    if isinstance(value, dict):
        return {key: _walk(item, visit) for key, item in value.items()}
    return value


_KEPT = frozenset({"id", "step", "reason", "duplicate_of", "source"})


def _has_text(column: pl.Series) -> bool:
    kind = column.dtype
    return kind == pl.String or (isinstance(kind, pl.List) and isinstance(kind.inner, pl.Struct))


def _flat(name: str, kind: pl.DataType) -> pl.Expr:
    text = pl.col(name)
    if kind != pl.String:
        text = text.list.eval(pl.element().struct.json_encode()).list.join("\n")
    return text.fill_null("")
