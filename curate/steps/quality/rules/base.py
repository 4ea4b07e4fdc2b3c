"""What a rule is: a block of rows in, those that break it out, each with value and threshold."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

import polars as pl

from curate.frame import ROW
from curate.reasons import Reason
from curate.texts import TYPES, prompt_text

FOUND = {ROW: pl.Int64, "reason": pl.String, "detail": pl.String}
CODE = r"(?ms)^ {0,3}```.*?(?:^ {0,3}```[^\n]*$|\z)|^ {0,3}~~~.*?(?:^ {0,3}~~~[^\n]*$|\z)|`[^`\n]+`"
"""Code between backticks or tildes, as a Rust regex."""


class Rule(Protocol):
    """One reason for which a row goes."""

    name: ClassVar[str]

    def find(self, block: pl.DataFrame) -> pl.DataFrame:
        """Return `_row`, `reason`, `detail` of the rows of a block that break the rule.

        Args:
            block: the columns of `text_columns`, up to some ten thousand rows.
        """
        ...

    def notes(self) -> tuple[str, ...]:
        """Return what a person should know after the last block."""
        ...


class Quiet:
    """A rule with nothing to add."""

    def notes(self) -> tuple[str, ...]:
        """Return nothing."""
        return ()


def text_columns(kind: str, tokens: pl.Expr) -> list[pl.Expr]:
    """Return what rules look at.

    `asked` is all before the answer, `user` what users say of it, `said` what is taught, `last` its
    last turn, `tokens` their number or null. Of a preference the chosen side is taught; of a rated
    answer, only one rated good. Plain text is said, not asked.
    """
    return [
        pl.col("text").str.head(0).alias("asked")
        if kind == "text"
        else prompt_text(kind).alias("asked"),
        _user(kind).fill_null("").alias("user"),
        _said(kind).fill_null("").alias("said"),
        _last(kind).fill_null("").alias("last"),
        tokens.alias("tokens"),
    ]


def _user(kind: str) -> pl.Expr:
    if kind == "text":
        return pl.col("text").str.head(0)
    turns = pl.col("messages" if kind == "messages" else "prompt")
    mine = turns.list.filter(pl.element().struct.field("role") == "user")
    return _contents(mine).list.join("\n\n", ignore_nulls=True)


def _contents(turns: pl.Expr) -> pl.Expr:
    return turns.list.eval(pl.element().struct.field("content"))


def _taught(kind: str) -> pl.Expr:
    """Return the turns that are taught."""
    if kind == "messages":
        return pl.col("messages").list.filter(pl.element().struct.field("role") == "assistant")
    turns = pl.col("chosen" if kind == "preference" else "completion")
    return pl.when("label").then(turns) if kind == "unpaired_preference" else turns


def _said(kind: str) -> pl.Expr:
    plain = TYPES[kind].plain
    if kind in ("text", "answer"):
        return pl.col(plain[0])
    return _contents(_taught(kind)).list.join("\n\n", ignore_nulls=True)


def _last(kind: str) -> pl.Expr:
    """Return what the last turn says; nothing where it calls a tool."""
    if kind in ("text", "answer"):
        return _said(kind)
    last = _taught(kind).list.last()
    calls = last.struct.field("tool_calls").list.len().fill_null(0) > 0
    return pl.when(~calls).then(last.struct.field("content"))


def measured(of: str) -> pl.Expr:
    """Return the text that a setting `of` means."""
    if of == "row":
        both = pl.concat_str("asked", "said", separator="\n\n")
        return pl.when(pl.col("asked") == "").then("said").otherwise(both)
    return pl.col("asked" if of == "prompt" else "said")


def words(text: pl.Expr) -> pl.Expr:
    """Return the number of words: what white space divides."""
    return text.str.count_matches(r"\S+")


def without_code(text: pl.Expr) -> pl.Expr:
    """Return the text outside code."""
    return text.str.replace_all(CODE, " ")


def broken(block: pl.DataFrame, when: pl.Expr, reason: Reason, detail: pl.Expr) -> pl.DataFrame:
    """Return the account of the rows for which `when` is true."""
    return block.filter(when).select(
        ROW, pl.lit(reason.value).alias("reason"), detail.alias("detail")
    )


def found(rows: list[Any], reason: Reason, details: list[str]) -> pl.DataFrame:
    """Return the account of rows that Python found."""
    data = {ROW: rows, "reason": [reason.value] * len(rows), "detail": details}
    return pl.DataFrame(data, schema=FOUND)


def percent(value: pl.Expr) -> pl.Expr:
    """Return a share as text: `31%`."""
    return (value * 100).round(0).cast(pl.Int64).cast(pl.String) + "%"
