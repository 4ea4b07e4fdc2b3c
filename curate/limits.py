"""Limits that stop a curation before it loses what nobody meant to lose."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from curate.frame import ROW
from curate.ledger import Ledger
from curate.reasons import Reason
from curate.recipe import Split
from curate.texts import answer_text, prompt_text
from workspace.errors import DataError, LimitExceeded
from workspace.text import plain

_EXAMPLES = 5
_MEANT = frozenset({Reason.OVER_SHARE, Reason.NOT_SELECTED})
"""How many rows go for these reasons is what the recipe says, not what a threshold happens on."""
_SMALL_SOURCE = 100
"""Shares of fewer rows than this say nothing."""


def check_something_read(rows: pl.LazyFrame, quarantined: pl.DataFrame) -> None:
    """Stop if every row was quarantined.

    Raises:
        DataError: with the reasons and examples.
    """
    if rows.select(pl.len()).collect().item():
        return
    raise DataError(
        f"not one of {quarantined.height:,} rows can be used",
        cause=_why(quarantined),
        cure="Mend the rows, say the file's `format:`, or name their columns beside its path, such "
        "as `columns: {prompt: YOURS, completion: YOURS}`. Nothing was published.",
    )


def check_quarantine(lost: pl.DataFrame, read: int, limit: float) -> None:
    """Stop if too many rows could not be used.

    Raises:
        LimitExceeded: with examples.
    """
    if lost.height <= limit * read:
        return
    raise LimitExceeded(
        f"{lost.height:,} of {read:,} rows cannot be used, more than max_quarantine = {limit:.1%}",
        cause=_why(lost),
        cure="Mend the rows, name their columns (`columns: {prompt: YOURS, completion: YOURS}` "
        "beside the path), or raise `max_quarantine`. Nothing was published.",
    )


def _why(lost: pl.DataFrame) -> str:
    """Return how many rows were lost to which reason, and the first few with their lines."""
    counts = lost["reason"].value_counts(sort=True)
    shown = "\n".join(plain(detail, 160) for detail in lost["detail"].head(_EXAMPLES))
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in counts.iter_rows())
    return f"{reasons}. For example:\n{shown}"


def check_breaker(
    ledger: Ledger,
    step: str,
    gone: pl.DataFrame,
    base: pl.LazyFrame,
    kind: str,
    limit: float,
    *,
    hide: Callable[[str], str],
) -> None:
    """Stop if a step drops too much of a source; `hide` masks what examples must not show.

    Raises:
        LimitExceeded: with examples.
    """
    for entry in ledger.entries:
        dropped = sum(count.rows for reason, count in entry.dropped.items() if reason not in _MEANT)
        if entry.step != step or entry.rows_in.rows < _SMALL_SOURCE:
            continue
        if dropped <= limit * entry.rows_in.rows:
            continue
        raise LimitExceeded(
            f"the step {step} would drop {dropped:,} of {entry.rows_in.rows:,} rows of "
            f"{entry.source}, more than circuit_breaker = {limit:.0%}",
            where=entry.source,
            cause=f"For example:\n{_examples(gone, base, entry.source, kind, hide)}",
            cure="If that is meant, raise `circuit_breaker`; otherwise raise the step's "
            "threshold or take the source out. Nothing was published.",
        )


def _examples(
    gone: pl.DataFrame,
    base: pl.LazyFrame,
    source: str,
    kind: str,
    hide: Callable[[str], str],
) -> str:
    rows = (
        gone.lazy()
        .join(base.filter(pl.col("source") == source), on=ROW, how="inner")
        .head(_EXAMPLES)
        .select("row", "detail", prompt_text(kind).alias("asks"), answer_text(kind).alias("says"))
        .collect()
    )
    return "\n".join(
        f"{source}:{row}: {plain(hide(detail), 80)}: "
        f"{plain(hide(asks), 60)} → {plain(hide(says), 40)}"
        for row, detail, asks, says in rows.iter_rows()
    )


def check_something_to_train(ledger: Ledger, split: Split) -> None:
    """Stop if the splits set aside every row.

    Raises:
        DataError: says how many went where.
    """
    if "train" in ledger.splits:
        return
    went = ", ".join(f"{count.rows:,} {name}" for name, count in ledger.splits.items())
    raise DataError(
        "the splits leave no row to train on",
        where="curate.split",
        cause=f"Of {ledger.rows_kept:,} rows: {went}; alike rows go together. Asked for: "
        f"validation {split.validation:g}, test {split.test:g}.",
        cure="Ask for less, or give more rows. Nothing was published.",
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
