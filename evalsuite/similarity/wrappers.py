"""What all questions of one origin share at both ends: the template around what they ask.

"Which team should answer this ticket? My card was declined" is an item as a suite renders it; the
training row may be the ticket alone, or stand under other words. Short texts differ by their
wrapper more than by anything else, so both are compared without it too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import product

import numpy as np
import polars as pl
from numpy.typing import NDArray

Rows = NDArray[np.int64]

LEAST_TEXTS = 3
"""Of fewer distinct texts it cannot be told what is a template and what chance."""
MANY_TEXTS = 500
"""So many texts share nothing but the template."""
LEAST_WORDS = 5
"""What is left of a text must have so many words: "How many live in {}?" is no template of which
each place is a question."""
LEAST_WORDS_OF_QUESTION = 3
"""The same where sentences of the template end before it and begin after it."""
_SEEN = 64
"""Texts looked at one by one; the others are only asked whether they share what these do."""
_WORD = re.compile(r"[\s\"'(:：，。？！「“]")
_SENTENCE = re.compile(r"(?:[\n:?!：。？！「“\"]|\.(?=\s))\s*")
"""What a template ends with before the question."""
_AFTER_WORD = re.compile(r"[\s\"')?!：，。？！」”]|\.(?!\d)")
_AFTER_SENTENCE = re.compile(r"[\n?!：。？！」”\"]|\.(?!\d)")
"""What ends the question before a template goes on."""


@dataclass(frozen=True)
class Bare:
    """Texts without the template around them, where there is one that has words."""

    texts: pl.Series
    owner: Rows
    """Which text each was, shape (texts,); it may stand here several times, cut in several ways."""


def bare(texts: pl.Series, origins: pl.Series | None = None) -> Bare:
    """Return what is left of texts without what all of their origin share.

    Args:
        texts: questions; empty ones and null are passed over.
        origins: which of them may have a template in common: the task of an item, the source of a
            row. Without, all of them.

    >>> asked = [f"Which team? The {thing} is broken again." for thing in ("lamp", "door", "bell")]
    >>> "The lamp is broken again." in bare(pl.Series(asked)).texts.to_list()
    True
    """
    frame = pl.DataFrame({"text": texts.cast(pl.String)}).with_row_index("owner")
    frame = frame.with_columns(_origin(origins))
    frame = frame.filter(pl.col("text").str.len_bytes() > 0)
    parts = [
        found
        for (_,), group in frame.group_by("origin", maintain_order=True)
        if (found := _without_template(group)) is not None
    ]
    if not parts:
        return Bare(pl.Series([], dtype=pl.String), np.empty(0, np.int64))
    both = pl.concat(parts)
    return Bare(both["text"], both["owner"].to_numpy().astype(np.int64))


def _origin(origins: pl.Series | None) -> pl.Expr | pl.Series:
    if origins is None:
        return pl.lit("").alias("origin")
    return origins.cast(pl.String).fill_null("").alias("origin")


def _without_template(group: pl.DataFrame) -> pl.DataFrame | None:
    """Return the texts of one origin without their template; None if they have none."""
    texts = group["text"]
    if texts.n_unique() < LEAST_TEXTS:
        return None
    parts = []
    for before, after in _templates(texts):
        left = texts.str.slice(len(before)).str.strip_suffix(after).str.strip_chars()
        part = group.select("owner").with_columns(left.alias("text"))
        least = LEAST_WORDS_OF_QUESTION if _is_apart(before, after) else LEAST_WORDS
        parts.append(part.filter(pl.col("text").str.count_matches(r"\w+") >= least))
    return pl.concat(parts) if parts else None


def _is_apart(before: str, after: str) -> bool:
    """Whether what stands between is a sentence of its own."""
    return _up_to(_SENTENCE, before) == before and _from(_AFTER_SENTENCE, after) == after


def _templates(texts: pl.Series) -> list[tuple[str, str]]:
    """Return what may be the template around texts: what stands before, and what after.

    All that few texts share may be more than the template, where the questions too begin or end
    alike ("My …"): then what is shared up to the end of a sentence is tried beside what is shared
    up to the end of a word.
    """
    begin = _prefix(texts)
    before = _up_to(_WORD, begin)
    end = _suffix(texts.str.slice(len(before)))
    after = _from(_AFTER_WORD, end)
    if len(texts) > MANY_TEXTS:
        found = {(before, after)}
    else:
        befores = {before, _said(_up_to(_SENTENCE, begin)) or before}
        found = set(product(befores, {after, _said(_from(_AFTER_SENTENCE, end))}))
    return sorted(both for both in found if _said("".join(both)))


def _said(text: str) -> str:
    """Return the text if it has a word: full stops and quotes do not tell texts apart."""
    return text if re.search(r"\w", text) else ""


def _up_to(edge: re.Pattern[str], text: str) -> str:
    return text[: max((found.end() for found in edge.finditer(text)), default=0)]


def _from(edge: re.Pattern[str], text: str) -> str:
    found = edge.search(text)
    return text[found.start() :] if found else ""


def _prefix(texts: pl.Series) -> str:
    """Return what all texts begin with."""
    shared = _common_begin(texts.head(_SEEN).to_list())
    while shared:
        others = texts.filter(~texts.str.starts_with(shared)).head(_SEEN)
        if not len(others):
            break
        shared = _common_begin([shared, *others.to_list()])
    return shared


def _suffix(texts: pl.Series) -> str:
    """Return what all texts end with."""
    shared = _common_end(texts.head(_SEEN).to_list())
    while shared:
        others = texts.filter(~texts.str.ends_with(shared)).head(_SEEN)
        if not len(others):
            break
        shared = _common_end([shared, *others.to_list()])
    return shared


def _common_begin(texts: list[str]) -> str:
    first, last = min(texts, default=""), max(texts, default="")
    for place, (one, other) in enumerate(zip(first, last, strict=False)):
        if one != other:
            return first[:place]
    return min(first, last, key=len)


def _common_end(texts: list[str]) -> str:
    return _common_begin([text[::-1] for text in texts])[::-1]
