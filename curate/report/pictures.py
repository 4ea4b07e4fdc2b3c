"""Which distributions a report draws."""

from __future__ import annotations

import polars as pl

from curate.report.histogram import Histogram, histogram
from curate.report.numbers import RowNumbers
from curate.report.shares import Shares, shares

_UNSURE = "too short, or not sure"


def histograms_of(before: RowNumbers | None, after: RowNumbers, kind: str) -> tuple[Histogram, ...]:
    """Return the distributions of numbers, as far as rows have them.

    Args:
        before: the rows as they were read; None: there were none.
        after: the kept rows.
        kind: the dataset type.
    """
    text = kind == "text"
    answer = {
        "preference": ("Chosen and rejected answer together", "characters"),
        "messages": ("Last answer", "characters"),
    }.get(kind, ("Answer", "characters"))
    wanted = [
        ("prompt", "Text" if text else "Prompt", "characters", "rows", "prompt", ""),
        ("answer", *answer, "rows", "answer", ""),
        ("tokens", "Whole row", "tokens", "rows", "tokens", ""),
        ("trained", "What carries loss", "trained tokens", "sample", "trained", _sampled(after)),
        ("turns", "Turns of a row", "turns", "rows", "turns", ""),
    ]
    found = []
    for name, title, unit, table, column, hint in wanted:
        if text and name == "answer":
            continue
        then = _column(before, table, column) if before else None
        now = _column(after, table, column)
        if now is None:
            continue
        sampled = _stand_for(before, after) if table == "sample" else (1.0, 1.0)
        one = histogram(name, title, unit, then, now, hint, sampled)
        if one is not None:
            found.append(one)
    return tuple(found)


def _column(numbers: RowNumbers, table: str, column: str) -> pl.Series | None:
    frame = numbers.rows if table == "rows" else numbers.sample
    return frame[column] if column in frame.columns and frame[column].count() else None


def shares_of(before: RowNumbers | None, after: RowNumbers) -> tuple[Shares, ...]:
    """Return how rows are shared out among labels, sources, languages or scripts."""
    found = []
    for name, title in (("label", "Label"), ("source", "Source")):
        then = before.rows[name] if before else None
        found.append(shares(name, title, then, after.rows[name]))
    sure = after.sample["language"].count() >= after.sample.height / 2
    column, title = ("language", "Language") if sure else ("script", "Writing system")
    sides = [
        side.sample[column].fill_null(_UNSURE if sure else "no letters") if side else None
        for side in (before, after)
    ]
    assert sides[1] is not None  # kept rows there are always
    sampled = _stand_for(before, after)
    found.append(shares(column, title, sides[0], sides[1], _sampled(after), sampled))
    return tuple(one for one in found if one is not None)


def _stand_for(before: RowNumbers | None, after: RowNumbers) -> tuple[float, float]:
    return (before.stands_for if before else 1.0, after.stands_for)


def _sampled(numbers: RowNumbers) -> str:
    if not numbers.sampled:
        return ""
    return f"Estimated from {numbers.sample.height:,} of the kept rows, evenly spread."
