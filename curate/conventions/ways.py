"""In which of its ways an answer does one thing, as a polars expression for each thing.

Null means that the thing does not apply to the row. The columns are those of `aspects.COLUMNS`.
"""

from __future__ import annotations

import polars as pl

FENCED = r"(?s)^(?:```|~~~).*(?:```|~~~)$"
PROGRAM = (
    r"(?m)\A(?:def|class|import|from|function|const|let|var|public|private|package|using|#include|"
    r"#!|SELECT|CREATE|INSERT|<\?php|<!DOCTYPE|<html)\b|^(?:def|class) \w+[(:]|^\s+return\b"
)
_FENCE = r"(?m)^ {0,3}(?:```|~~~)"
_HEADING, _BOLD = r"(?m)^#{1,6} \p{L}", r"\*\*[^\s*][^*\n]*\*\*|__[^\s_][^_\n]*__"
_BULLET, _TABLE = r"(?m)^\s{0,8}[-*•+] \S", r"(?m)^\|.*\|\s*$"
_IN_WORDS = (
    r"(?i)^\W*(?:(?:so|thus|hence|therefore),? )?(?:the )?(?:final |correct )?answer(?: is\b|\s*:)"
)
SENTENCE_WORDS = 4


def either(**patterns: str) -> pl.Expr:
    """Return the one name whose pattern is found in the prose; `both` if several are."""
    prose = pl.col("prose")
    hits = {name: prose.str.contains(pattern) for name, pattern in patterns.items()}
    count = pl.sum_horizontal(*(hit.cast(pl.Int8) for hit in hits.values()))
    code = pl.when(count > 1).then(pl.lit("both"))
    for name, hit in hits.items():
        code = code.when(hit).then(pl.lit(name))  # type: ignore[assignment]
    return code.otherwise(None)


_WORDS = pl.col("words")


def ending() -> pl.Expr:
    """Return how a sentence ends."""
    text = pl.col("prose")
    return (
        pl.when(_WORDS < SENTENCE_WORDS)
        .then(None)
        .when(text.str.contains(r"[.!?…。！？।؟][\s\"'”’»)\]*_]*$"))
        .then(pl.lit("stop"))
        .when(text.str.contains(r"[\p{L}\p{N}]$"))
        .then(pl.lit("none"))
    )


def short_ending() -> pl.Expr:
    """Return how a few words end."""
    text = pl.col("prose")
    return (
        pl.when(_WORDS >= SENTENCE_WORDS)
        .then(None)
        .when(text.str.contains(r"\p{L}\.$"))
        .then(pl.lit("stop"))
        .when(text.str.contains(r"\p{L}$"))
        .then(pl.lit("none"))
    )


def marker() -> pl.Expr:
    """Return how the final answer is marked, on the last line but for `\\boxed`."""
    last = pl.col("last")
    return (
        pl.when(last.str.contains(r"^#{3,4}\s*\S"))
        .then(pl.lit("hashes"))
        .when(pl.col("prose").str.contains(r"\\boxed\s*\{"))
        .then(pl.lit("boxed"))
        .when(last.str.contains(r"(?i)<answer>|</answer>$"))
        .then(pl.lit("tag"))
        .when(last.str.contains(_IN_WORDS))
        .then(pl.lit("words"))
        .when(pl.col("prose").is_not_null())
        .then(pl.lit("none"))
    )


def fence() -> pl.Expr:
    """Return how much of an answer stands in a code fence."""
    text = pl.col("trimmed")
    return (
        pl.when(text.str.contains(FENCED))
        .then(pl.lit("whole"))
        .when(text.str.contains(_FENCE))
        .then(pl.lit("some"))
        .when(text != "")
        .then(pl.lit("none"))
    )


def markdown() -> pl.Expr:
    """Return whether prose is marked up."""
    text = pl.col("prose")
    marked = text.str.contains(_HEADING) | text.str.contains(_BOLD) | text.str.contains(_TABLE)
    marked |= text.str.count_matches(_BULLET) >= 2
    return (
        pl.when(_WORDS >= SENTENCE_WORDS)
        .then(pl.when(marked).then(pl.lit("markdown")).otherwise(pl.lit("plain")))
        .otherwise(None)
    )


def around() -> pl.Expr:
    """Return on which side there is white space."""
    text = pl.col("said")
    before, after = text.str.contains(r"^\s"), text.str.contains(r"\s$")
    return (
        pl.when(pl.col("trimmed") == "")
        .then(None)
        .when(before & after)
        .then(pl.lit("both"))
        .when(before)
        .then(pl.lit("before"))
        .when(after)
        .then(pl.lit("after"))
        .otherwise(pl.lit("clean"))
    )


OPENERS = (
    r"(?i)^(?:sure|certainly|of course|absolutely|great question|i'd be happy to|i would be happy "
    r"to|happy to help|here (?:is|are)|here's|as requested|thank you for|thanks for (?:asking|"
    r"your))\b"
)
CLOSERS = (
    r"(?i)(?:let me know if|i hope this helps|hope (?:this|that) helps|feel free to (?:ask|reach|"
    r"contact)|is there anything else|happy to help further)[^\n]*$"
)


def yes_no(pattern: str, column: str = "prose", least_words: int = 1) -> pl.Expr:
    """Return whether a pattern is found, in answers of at least so many words."""
    found = pl.col(column).str.contains(pattern)
    return (
        pl.when(pl.col("words") >= least_words)
        .then(pl.when(found).then(pl.lit("yes")).otherwise(pl.lit("no")))
        .otherwise(None)
    )


def first_letter() -> pl.Expr:
    """Return the case of the first letter."""
    text = pl.col("prose")
    return (
        pl.when(text.str.contains(r"^\p{Lu}"))
        .then(pl.lit("upper"))
        .when(text.str.contains(r"^\p{Ll}"))
        .then(pl.lit("lower"))
    )


def breaks() -> pl.Expr:
    """Return how lines are broken."""
    text = pl.col("said")
    return (
        pl.when(text.str.contains("\r\n"))
        .then(pl.lit("crlf"))
        .when(text.str.contains("\r"))
        .then(pl.lit("cr"))
        .when(text.str.contains("\n"))
        .then(pl.lit("lf"))
    )


def wrapped() -> pl.Expr:
    """Return whether all of it is quoted."""
    text = pl.col("prose")
    return (
        pl.when(text.str.contains("(?s)^[\"“'].*[\"”']$"))
        .then(pl.lit("quoted"))
        .when(text != "")
        .then(pl.lit("bare"))
    )


UNITS = r"(?:km|kg|cm|mm|ml|mg|GB|MB|KB|kWh|kW|Hz|mph|km/h)\b"
MONTHS = (
    r"(?:January|February|March|April|May|June|July|August|September|October|November|December)"
)
