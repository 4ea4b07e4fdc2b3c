"""Limits that stop a curation before it loses what nobody meant to lose."""

from __future__ import annotations

import polars as pl

from curate.frame import ROW
from curate.ledger import Ledger
from curate.texts import answer_text, prompt_text
from workspace.errors import DataError, LimitExceeded
from workspace.text import plain

_EXAMPLES = 5
_SMALL_SOURCE = 100
"""Shares of fewer rows than this say nothing."""


def check_quarantine(lost: pl.DataFrame, read: int, limit: float) -> None:
    """Stop if too many rows could not be used.

    Raises:
        LimitExceeded: with examples.
    """
    if lost.height <= limit * read:
        return
    counts = lost["reason"].value_counts(sort=True)
    shown = "\n".join(plain(detail, 160) for detail in lost["detail"].head(_EXAMPLES))
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in counts.iter_rows())
    raise LimitExceeded(
        f"{lost.height:,} of {read:,} rows cannot be used, more than max_quarantine = {limit:.1%}",
        cause=f"{reasons}. For example:\n{shown}",
        cure="Mend the rows, name their columns with `columns:`, or raise `max_quarantine`. "
        "Nothing was published.",
    )


def check_breaker(
    ledger: Ledger, step: str, gone: pl.DataFrame, base: pl.LazyFrame, kind: str, limit: float
) -> None:
    """Stop if a step drops too much of a source.

    Raises:
        LimitExceeded: with examples.
    """
    for entry in ledger.entries:
        dropped = sum(count.rows for count in entry.dropped.values())
        if entry.step != step or entry.rows_in.rows < _SMALL_SOURCE:
            continue
        if dropped <= limit * entry.rows_in.rows:
            continue
        raise LimitExceeded(
            f"the step {step} would drop {dropped:,} of {entry.rows_in.rows:,} rows of "
            f"{entry.source}, more than circuit_breaker = {limit:.0%}",
            where=entry.source,
            cause=f"For example:\n{_examples(gone, base, entry.source, kind)}",
            cure="If that is meant, raise `circuit_breaker`; otherwise raise the step's "
            "threshold or take the source out. Nothing was published.",
        )


def _examples(gone: pl.DataFrame, base: pl.LazyFrame, source: str, kind: str) -> str:
    rows = (
        gone.lazy()
        .join(base.filter(pl.col("source") == source), on=ROW, how="inner")
        .head(_EXAMPLES)
        .select("row", "detail", prompt_text(kind).alias("asks"), answer_text(kind).alias("says"))
        .collect()
    )
    return "\n".join(
        f"{source}:{row}: {plain(detail, 80)}: {plain(asks, 60)} → {plain(says, 40)}"
        for row, detail, asks, says in rows.iter_rows()
    )


def check_something_left(ledger: Ledger, frame: pl.LazyFrame) -> None:
    """Stop if no row is left.

    Raises:
        DataError: says at which step the rows went.
    """
    if frame.select(pl.len()).collect().item():
        return
    went = "; ".join(
        f"{step}: {', '.join(f'{count.rows:,} {reason}' for reason, count in dropped.items())}"
        for step in ledger.steps
        if (dropped := ledger.total(step).dropped)
    )
    raise DataError(
        f"every one of the {ledger.rows_read:,} rows was dropped",
        cause=f"They went at {went or 'no step: there were none'}.",
        cure="Loosen or remove the step that drops them. Nothing was published.",
    )
