"""What topics are called: the words that tell one from the others."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import polars as pl
from numpy.typing import NDArray

from evalsuite.similarity.tokens import words

Rows = NDArray[np.int64]
_SPELT = r"^[\p{L}\p{M}]{3,30}$"
_UNSPACED = r"^[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]$"
_OFTENER = 3
"""Words come first that a topic says so many times as often as all rows do; after them `the`."""
_LEAST_ROWS = 2
"""A word of one row names that row, not a topic."""


def topic_names(
    blocks: Iterable[pl.Series], of: Rows, count: int, *, words_each: int = 3
) -> list[str]:
    """Return a name for each topic, all different: its most telling words.

    Words are weighed by class-based TF-IDF (Grootendorst 2022, arXiv 2203.05794): their share of
    the topic times ln(1 + A / f), with f how often they are in all topics and A the mean number of
    words of a topic. Here a row counts once for a word, however often it says it.

    Args:
        blocks: the texts, a block at a time.
        of: topic of each text in their order, -1 for none; shape (texts,).
        count: number of topics.
        words_each: words in a name.
    """
    counted = _counted(blocks, of)
    total = pl.col("rows").sum()
    weighed = counted.with_columns(
        (pl.col("rows") / total.over("topic")).alias("share"),
        (total / count).alias("mean"),
        total.alias("all"),
        total.over("word").alias("everywhere"),
    ).filter(pl.col("rows") >= _LEAST_ROWS)
    telling = pl.col("share") * (1 + pl.col("mean") / pl.col("everywhere")).log()
    usual = pl.col("everywhere") / pl.col("all") * _OFTENER > pl.col("share")
    ranked = weighed.with_columns(usual.alias("usual"), telling.round(12).alias("telling")).sort(
        "topic", "usual", "telling", "word", descending=[False, False, True, False]
    )
    best = ranked.group_by("topic", maintain_order=True).agg(pl.col("word").head(words_each))
    named = {topic: " ".join(some) for topic, some in best.iter_rows()}
    return _different([named.get(topic, "without words") for topic in range(count)])


def _counted(blocks: Iterable[pl.Series], of: Rows) -> pl.DataFrame:
    """Return in how many rows of each topic each word is: `topic`, `word`, `rows`."""
    counts = pl.DataFrame(schema={"topic": pl.Int64, "word": pl.String, "rows": pl.UInt32})
    done = 0
    for texts in blocks:
        mine = of[done : done + len(texts)]
        done += len(texts)
        said = pl.DataFrame({"topic": mine, "word": words(texts).list.unique()})
        has_words = pl.col("word").list.len() > 0
        each = said.filter((pl.col("topic") >= 0) & has_words).explode("word")
        spelt = each.filter(pl.col("word").str.contains(f"{_SPELT}|{_UNSPACED}"))
        here = spelt.group_by("topic", "word").agg(pl.len().cast(pl.UInt32).alias("rows"))
        counts = pl.concat([counts, here]).group_by("topic", "word").agg(pl.col("rows").sum())
    return counts


def _different(names: list[str]) -> list[str]:
    """Number names that are there twice.

    >>> _different(["card", "loan", "card"])
    ['card', 'loan', 'card 2']
    """
    taken: dict[str, int] = {}
    out = []
    for name in names:
        taken[name] = taken.get(name, 0) + 1
        out.append(name if taken[name] == 1 else f"{name} {taken[name]}")
    return out
