"""Figures of a run's own data in words, the same on a terminal and in reports."""

from __future__ import annotations

from evalsuite.overfitting.records import (
    Bounds,
    Exposure,
    OverfittingRecord,
    Recited,
    Word,
)
from evalsuite.sentences import MINUS, NARROW_SPACE


def nats(value: float) -> str:
    """Return a loss or distance with three decimals.

    >>> nats(-0.12345)
    '−0.123'
    """
    return f"{value:.3f}".replace("-", MINUS)


def percent(value: float) -> str:
    """Return a share as per cent with one decimal."""
    return f"{value * 100:.1f}{NARROW_SPACE}%".replace("-", MINUS)


def bounds(found: Bounds, digits: int = 3) -> str:
    """Return an estimate with its interval."""
    low, value, high = (
        f"{one:.{digits}f}".replace("-", MINUS) for one in (found.low, found.value, found.high)
    )
    return f"{value}, 95{NARROW_SPACE}% interval {low} to {high}"


def percent_bounds(found: Bounds) -> str:
    """Return a share as per cent with its interval."""
    return (
        f"{percent(found.value)}, 95{NARROW_SPACE}% interval {percent(found.low)} to "
        f"{percent(found.high)}"
    )


def told_word(word: Word, record: OverfittingRecord) -> str:
    """Return a word of the verdict, with its cause where it is not its own rows."""
    if word == "memorised" and "planted strings" in record.memorised:
        return f"memorised ({' and '.join(record.memorised)})"
    return word


def told_words(record: OverfittingRecord) -> str:
    """Return the words of the verdict for a heading."""
    return ", ".join(told_word(word, record) for word in record.words)


def recited_rows(record: OverfittingRecord, count: int) -> list[Recited]:
    """Return the rows to list as memorised: none where planted strings alone came back."""
    if "memorised" not in record.words or record.memorised == ["planted strings"]:
        return []
    return record.recited[:count]


def recalled_strings(record: OverfittingRecord) -> list[Exposure]:
    """Return the planted strings that training saw, the best rank first, where they came back."""
    if "planted strings" not in record.memorised:
        return []
    return sorted((one for one in record.exposures if one.seen), key=lambda one: one.rank)


def drift_lines(record: OverfittingRecord) -> list[str]:
    """Return how far the tuned model moved from the base."""
    what = {"task": "rows of the task", "general": "what is to be kept"}
    return [
        f"drift on {what[one.prompts]}: KL to the base {bounds(one.kl)} nats per token (reverse "
        f"{nats(one.reverse_kl)}); the same most likely token at {percent(one.same_top)} of "
        f"{one.tokens:,}"
        for one in record.drift
    ]
