"""Which group a row belongs to: its label, topic, source, length, language or a column."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from curate.embedding.configs import Topics
from curate.embedding.topics import find_topics
from curate.frame import ROW
from curate.scores import score_names
from curate.steps.balancing.difficulty import is_score, thirds
from curate.steps.base import StepContext
from curate.texts import TYPES, answer_text, prompt_text
from workspace.errors import DataError
from workspace.text import plain

Rows = NDArray[np.int64]
KNOWN = ("label", "topic", "source", "answer", "length", "language", "script", "difficulty")
SCRIPTS = {
    "Latin": r"\p{Latin}",
    "Cyrillic": r"\p{Cyrillic}",
    "Greek": r"\p{Greek}",
    "Arabic": r"\p{Arabic}",
    "Hebrew": r"\p{Hebrew}",
    "Devanagari": r"\p{Devanagari}",
    "Bengali": r"\p{Bengali}",
    "Tamil": r"\p{Tamil}",
    "Thai": r"\p{Thai}",
    "Georgian": r"\p{Georgian}",
    "Armenian": r"\p{Armenian}",
    "Hangul": r"\p{Hangul}",
    "Kana": r"[\p{Hiragana}\p{Katakana}]",
    "Han": r"\p{Han}",
}
_LONGEST_NAME = 80


@dataclass(frozen=True)
class Cells:
    """Groups of rows, numbered in the order of their names."""

    names: tuple[str, ...]
    """What each group is called; several values are joined by ` / `."""
    of: Rows
    """Number of the group of each row asked about, -1 where it has no value; shape (rows,)."""

    def __len__(self) -> int:
        return len(self.names)

    def shown(self) -> list[str]:
        """Return the names as a report may show them: one line each, nothing hidden in them."""
        return [plain(name, _LONGEST_NAME) for name in self.names]


def cells_of(
    rows: Rows,
    by: Sequence[str],
    context: StepContext,
    length_bands: Sequence[int] = (16, 64, 256, 1024),
    topics: Topics | None = None,
) -> Cells:
    """Return the group of each of `rows`.

    Args:
        rows: positions, ascending.
        by: names from `KNOWN`, scores, or columns.
        context: knows all rows.
        length_bands: words at which the next band begins.
        topics: how to find topics; None takes those that the step `topics` gave.

    Raises:
        DataError: no such column, or one that holds no single value; no topics.
    """
    keys = [
        find_topics(rows, topics, context).keys
        if name == "topic" and topics is not None
        else thirds(rows, name, context)
        if is_score(name, context)
        else _key(name, context, length_bands).gather(rows)
        for name in by
    ]
    frame = pl.DataFrame([key.alias(f"{place}") for place, key in enumerate(keys)])
    joined = frame.select(pl.concat_str(pl.all(), separator=" / ").alias("key"))["key"]
    return cells_from(joined)


def cells_from(keys: pl.Series) -> Cells:
    """Return groups of equal keys; null is no group."""
    names = keys.drop_nulls().unique().sort()
    number = pl.DataFrame({"key": names, "cell": pl.int_range(len(names), eager=True)})
    found = keys.alias("key").to_frame().join(number, on="key", how="left", maintain_order="left")
    of = found["cell"].fill_null(-1).to_numpy().astype(np.int64)
    return Cells(tuple(names.to_list()), of)


def _key(name: str, context: StepContext, length_bands: Sequence[int]) -> pl.Series:
    """Return the value of each of all rows, as text or null."""
    if name == "label":
        return _column(context, "user_label")
    if name == "topic":
        return _topics(context)
    if name == "answer":
        return _answers(context)
    if name == "length":
        words = context.prompts.lengths + context.answers.lengths
        return _bands(words, length_bands)
    if name == "script":
        return _said(context, script)
    if name == "language":
        return _languages(context)
    schema = context.base.collect_schema()
    if name in schema.names() and name not in TYPES[context.type].turns:
        kind = schema[name]
        if not kind.is_nested():
            return _column(context, name)
    usable = list(score_names(context.base))
    usable += [column for column, kind in schema.items() if column != ROW and not kind.is_nested()]
    raise DataError(
        f"rows cannot be grouped by {plain(name, 60)!r}",
        cause=f"Known are {', '.join(KNOWN)}, the rows' scores, and the columns: "
        f"{', '.join(usable)}.",
        cure="Name one of these in `by`.",
    )


def _topics(context: StepContext) -> pl.Series:
    if "topic" in context.base.collect_schema().names():
        given = _column(context, "topic")
        if given.null_count() < len(given):
            return given
    raise DataError(
        "no row has a topic",
        cause="Topics are clusters of the rows' vectors, which nothing has found yet.",
        cure="Put the step `topics` before, or tell `balance` how to find them: "
        "`balance: {by: topic, topics: {count: 20}}`.",
    )


def _column(context: StepContext, name: str) -> pl.Series:
    value = pl.col(name).cast(pl.String)
    return context.base.select(ROW, value.alias("key")).sort(ROW).collect()["key"]


def _answers(context: StepContext) -> pl.Series:
    """Return the answers in lower case; a long one by its beginning and its hash."""
    import polars_hash as plh

    parts = []
    for block in context.in_blocks():
        said = block.select(
            answer_text(context.type).str.strip_chars().str.to_lowercase().alias("said")
        )
        digest = plh.col("said").chash.sha2_256().str.slice(0, 8)
        brief = pl.concat_str(pl.col("said").str.slice(0, _LONGEST_NAME - 11), pl.lit("… "), digest)
        long = pl.col("said").str.len_chars() > _LONGEST_NAME
        key = pl.when(long).then(brief).when(pl.col("said") != "").then("said")
        parts.append(said.select(key.alias("key")).collect()["key"])
    return pl.concat(parts) if parts else pl.Series("key", [], pl.String)


def _said(context: StepContext, key: Callable[[pl.Expr], pl.Expr]) -> pl.Series:
    """Return what `key` makes of prompt and answer of all rows together."""
    both = pl.concat_str(prompt_text(context.type), answer_text(context.type), separator=" ")
    parts = [
        block.select(both.alias("said")).select(key(pl.col("said")).alias("key")).collect()["key"]
        for block in context.in_blocks()
    ]
    return pl.concat(parts) if parts else pl.Series("key", [], pl.String)


def _languages(context: StepContext) -> pl.Series:
    """Return the code of each row's language; null where it is short or the detector unsure."""
    from curate.steps.quality.configs import Language
    from curate.steps.quality.rules.language import likely_languages

    return _said(
        context,
        lambda said: said.map_batches(
            lambda texts: likely_languages(texts, Language()), return_dtype=pl.String
        ),
    )


def _bands(words: Rows, edges: Sequence[int]) -> pl.Series:
    ends = [*edges, None]
    width = len(str(edges[-1]))
    names = []
    for begin, end in zip([0, *edges], ends, strict=True):
        until = f"to {end - 1:0{width}d}" if end is not None else "and more"
        names.append(f"{begin:0{width}d} {until} words")
    band = np.searchsorted(np.array(edges), words, side="right")
    return pl.Series("key", names, pl.String).gather(band)


def script(text: pl.Expr) -> pl.Expr:
    """Return the writing system with the most letters; kana makes Japanese of Han."""
    counts = {name: text.str.count_matches(pattern) for name, pattern in SCRIPTS.items()}
    kana = counts.pop("Kana")
    counts["Japanese"] = pl.when(kana > 0).then(kana + counts["Han"]).otherwise(0)
    counts["Han"] = pl.when(kana > 0).then(0).otherwise(counts["Han"])
    most = pl.max_horizontal(*counts.values())
    found = pl.when(most == 0).then(pl.lit(None, pl.String))
    for name, count in counts.items():
        found = found.when(count == most).then(pl.lit(name))  # type: ignore[assignment]
    return found.otherwise(None)
