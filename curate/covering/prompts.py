"""Prompts as they are compared: without the template that all of them share."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import polars as pl

_SHARED = 0.9
"""What so many prompts begin or end with is a template."""
_LEAST = 12
"""A shorter one is an accident."""
_LONGEST = 4_000


def turns_of(kind: str) -> pl.Expr:
    """Return how many turns users have in a row."""
    if kind == "text":
        return pl.lit(1, pl.Int64)
    turns = pl.col("messages" if kind == "messages" else "prompt")
    asked = turns.list.filter(pl.element().struct.field("role") == "user")
    return asked.list.len().cast(pl.Int64)


@dataclass(frozen=True)
class Template:
    """What nearly all prompts begin and end with."""

    before: str = ""
    after: str = ""

    def __bool__(self) -> bool:
        return bool(self.before or self.after)

    def stripped(self, texts: pl.Series) -> pl.Series:
        """Return the texts without it; those that have it not stay as they are."""
        out = texts.fill_null("")
        if self.before:
            out = _where(out.str.starts_with(self.before), out.str.slice(len(self.before)), out)
        if self.after:
            out = _where(out.str.ends_with(self.after), out.str.head(-len(self.after)), out)
        return out.alias("text")


def _where(when: pl.Series, then: pl.Series, otherwise: pl.Series) -> pl.Series:
    return pl.select(pl.when(when).then(then).otherwise(otherwise)).to_series()


def template_of(texts: list[str]) -> Template:
    """Return the template of a sample of prompts: whole words that nine of ten begin or end with.

    >>> template_of([f"Triage this ticket.\\n\\nNumber {n} is late" for n in range(30)]).before
    'Triage this ticket.\\n\\nNumber '
    """
    if len(texts) < 20:
        return Template()
    before = _shared([text[:_LONGEST] for text in texts])
    before = before[: _last_space(before)]
    rest = [text[len(before) :] if text.startswith(before) else text for text in texts]
    after = _shared([text[-_LONGEST:][::-1] for text in rest])
    after = after[: _last_space(after)][::-1]
    return Template(before if len(before) >= _LEAST else "", after if len(after) >= _LEAST else "")


def _shared(texts: list[str]) -> str:
    """Return the longest beginning that nine of ten texts, different ones, have in common."""
    if len({*texts}) < 0.5 * len(texts):  # few inputs, often repeated, are no template
        return ""
    low, high, best = 0, max(map(len, texts)), ""
    while low < high:
        middle = (low + high + 1) // 2
        begin, count = Counter(text[:middle] for text in texts).most_common(1)[0]
        if len(begin) == middle and count >= _SHARED * len(texts):
            low, best = middle, begin
        else:
            high = middle - 1
    return best


def _last_space(text: str) -> int:
    """Return where the last whole word ends, the space after it included."""
    return max((place + 1 for place, letter in enumerate(text) if letter.isspace()), default=0)
