"""Rows visited in blocks, and rows whose text is rewritten."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from curate.frame import ROW
from curate.steps.base import Outcome, Rows, StepContext, altered_rows, positions, split_off
from curate.texts import IMAGE_EDGE, IMAGE_MARK, TYPES, answer_text, prompt_text

BLOCK_ROWS = 20_000
Visit = Callable[[str], str]


def blocks(
    frame: pl.LazyFrame,
    context: StepContext,
    columns: Sequence[str | pl.Expr],
    block_rows: int = BLOCK_ROWS,
) -> Iterator[pl.DataFrame]:
    """Yield the rows still there, a block at a time, with `_row` and these columns.

    The blocks are slices of the base, which is a file: a slice of `frame` itself would compute
    every step before it once more for each block.
    """
    rows = positions(frame)
    total = int(rows[-1]) + 1 if rows.size else 0
    for begin in range(0, total, block_rows):
        context.advance(begin, total, "rows")
        low, high = np.searchsorted(rows, (begin, begin + block_rows))
        if low == high:
            continue
        here = pl.DataFrame({ROW: rows[low:high]}).lazy()
        part = context.base.slice(begin, block_rows)
        yield (
            part.join(here, on=ROW, how="semi", maintain_order="left")
            .select(ROW, *columns)
            .collect()
        )


def row_text(kind: str) -> pl.Expr:
    """Return all that a row says as one text."""
    return pl.concat_str(prompt_text(kind), answer_text(kind), separator="\n")


def visit_turns(turns: list[dict[str, Any]] | None, visit: Visit, *, calls: bool) -> Any:
    """Return turns whose texts went through `visit`; with `calls`, tool calls and names too."""
    if turns is None:
        return None
    return [_visit_turn(turn, visit, calls) for turn in turns]


def _visit_turn(turn: dict[str, Any], visit: Visit, calls: bool) -> dict[str, Any]:
    new = dict(turn)
    for name in ("content", "name") if calls else ("content",):
        if isinstance(turn.get(name), str):
            new[name] = _around_marks(turn[name], visit)
    if calls and turn.get("tool_calls"):
        new["tool_calls"] = [_visit_call(call, visit) for call in turn["tool_calls"]]
    return new


def _around_marks(text: str, visit: Visit) -> str:
    """Visit what stands between images."""
    if IMAGE_EDGE not in text:
        return visit(text)
    pieces = re.split(f"({IMAGE_MARK.replace('(', '(?:')})", text)
    return "".join(piece if at % 2 else visit(piece) for at, piece in enumerate(pieces))


def _visit_call(call: dict[str, Any], visit: Visit) -> dict[str, Any]:
    function = call.get("function")
    if not function or not isinstance(function.get("arguments"), str):
        return call
    return {**call, "function": {**function, "arguments": visit(function["arguments"])}}


def visit_row(
    row: dict[str, Any], kind: str, visit: Visit, *, calls: bool, also: Sequence[str] = ()
) -> dict[str, Any]:
    """Return the columns of a row after every text of them went through `visit`."""
    columns = TYPES[kind]
    out = {name: visit_turns(row[name], visit, calls=calls) for name in columns.turns}
    for name in (*columns.plain, *also):
        out[name] = visit(row[name]) if isinstance(row[name], str) else row[name]
    return out


@dataclass
class Rewritten:
    """Rows with new text, gathered block by block."""

    columns: tuple[str, ...]
    """The columns that may be new."""
    rows: list[int] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    details: list[str] = field(default_factory=list)
    parts: list[pl.DataFrame] = field(default_factory=list)

    def add(
        self,
        block: pl.DataFrame,
        rows: list[int],
        reasons: list[str],
        details: list[str],
        values: list[dict[str, Any]],
    ) -> None:
        """Take the new rows of a block; `values` has one dictionary of columns for each."""
        if not rows:
            return
        self.rows += rows
        self.reasons += reasons
        self.details += details
        schema = {name: block.schema[name] for name in self.columns}
        made = pl.DataFrame(values, schema=schema)
        self.parts.append(made.with_columns(pl.Series(ROW, rows, pl.Int64)))

    def outcome(
        self, frame: pl.LazyFrame, step: str, dropped: pl.DataFrame, notes: tuple[str, ...]
    ) -> Outcome:
        """Return `frame` with the new text in place and `dropped` taken out."""
        out = split_off(frame, dropped, notes)
        if not self.parts:
            return out
        new = pl.concat(self.parts).rename({name: f"{name}\x00new" for name in self.columns})
        joined = out.kept.join(
            new.with_columns(pl.lit(True).alias("\x00is_new")).lazy(),
            on=ROW,
            how="left",
            maintain_order="left",
        )
        is_new = pl.col("\x00is_new").fill_null(False)
        kept = joined.with_columns(
            pl.when(is_new).then(f"{name}\x00new").otherwise(name).alias(name)
            for name in self.columns
        ).drop("\x00is_new", *(f"{name}\x00new" for name in self.columns))
        rows: Rows = np.array(self.rows, np.int64)
        changed = altered_rows(step, rows, self.reasons, self.details)
        return Outcome(kept, out.dropped, out.notes, changed=changed)


def counted(number: int, one: str, many: str = "") -> str:
    """Return `1 phone`, `2 phones`.

    >>> counted(1, "line"), counted(1200, "entry", "entries")
    ('1 line', '1,200 entries')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"
