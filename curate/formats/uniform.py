"""Rows of one shape, made column by column: most files are nothing else, and it is faster.

What comes out equals what `read` makes row by row; whatever is not plainly text goes that way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from curate.formats.batches import Batch
from curate.formats.decode import is_texts
from curate.formats.detect import RowFormat, detect
from curate.formats.pairs import COMPLETION_KEYS, OUTPUT_KEYS, final_answer, question_keys
from curate.formats.parts import FRAME, turn_pairs
from curate.formats.shape import first_filled

_INVOLVED = frozenset(
    {"system", "system_prompt", "history", "tools", "meta", "messages", "quality"}
    | {"image", "images"}
)
"""Keys whose meaning depends on their value: such rows are made one by one."""
_PLACES = {
    "document": ("document", "document_id", "doc_id"),
    "conversation": ("conversation_id",),
}
"""Marks of where a record is from, with the keys that may name it, the first of them first."""


@dataclass(frozen=True)
class Run:
    """Records of one shape: the same keys in all of them, each with text."""

    texts: pl.DataFrame
    """What is to be normalised: usual name → text of each record."""
    own: pl.DataFrame
    """The records' own key → text."""
    format: RowFormat

    @property
    def first(self) -> dict[str, str]:
        """The first record, its columns under their usual names."""
        return self.texts.row(0, named=True)


def find_run(batch: Batch, renamed: Callable[[Any], Any] | None) -> Run | None:
    """Return the records as a run, or None where they are not plainly of one shape.

    Args:
        batch: the records as they were read.
        renamed: puts the columns of a record under their usual names; None: they are there.

    Raises:
        Misfit: a column that `renamed` wants is not there.
    """
    first = batch.first
    if not is_texts(first):
        return None
    usual = dict(renamed(first)) if renamed else first
    if not _INVOLVED.isdisjoint(usual):
        return None
    found = detect(usual)
    # A label that is text is one of KTO's only where it says true or false: that is told by value.
    kto = "label" in usual and {"prompt", "completion"} <= usual.keys()
    if found is None or found not in _MAKERS or kto:
        return None
    own = batch.columns()
    if own is None:
        return None
    if renamed is None:
        return Run(own, own, found)
    names = renamed({key: key for key in own.columns})
    return Run(own.select(pl.col(key).alias(name) for name, key in names.items()), own, found)


def run_table(run: Run, batch: Batch, source: str) -> pl.DataFrame:
    """Return the records in the schema `parts.ROWS`.

    Args:
        run: from `find_run`.
        batch: the records as they were read.
        source: the file's name.
    """
    columns = {
        "raw_hash": batch.hashes(),
        "source": pl.lit(source),
        "row": pl.Series(batch.places, dtype=pl.Int64),
        "format": pl.lit(run.format.value),
        **_marks(run),
        **_MAKERS[run.format](run),
    }
    none = {name: pl.lit(None, kind) for name, kind in FRAME.items() if name not in columns}
    return run.texts.with_columns(**columns, **none).select(*FRAME)


def _marks(run: Run) -> dict[str, pl.Expr]:
    """Return what the records say about themselves beside their text, as `read` takes it.

    Every value here is text, so a list of parents is none.
    """
    keys = run.texts.columns
    marks = {"parents": _parents(keys)}
    if "id" in keys:
        marks["user_id"] = _filled("id")
    labels = [key for key in ("category", "topic", "label") if key in keys]
    if labels:
        marks["user_label"] = pl.coalesce(_filled(key) for key in labels)
    for name, known in _PLACES.items():
        key = next((key for key in known if key in keys), None)
        if key is not None:
            marks[name] = pl.col(key)
    return marks


def _filled(key: str) -> pl.Expr:
    return pl.when(pl.col(key) != "").then(key)


def _parents(keys: Sequence[str]) -> pl.Expr:
    none = pl.lit([], pl.List(pl.String))
    if "parent_id" not in keys:
        return none
    named = pl.col("parent_id") != ""
    if "parents" in keys:
        named &= pl.col("parents") == ""
    return pl.when(named).then(pl.concat_list("parent_id")).otherwise(none)


def _pairs(prompts: pl.Series, answers: pl.Series) -> dict[str, Any]:
    return {"kind": pl.lit("messages"), "messages": turn_pairs(prompts, answers)}


def _alpaca(run: Run) -> dict[str, Any]:
    prompts = run.texts["instruction"]
    if "input" in run.texts.columns:
        extra = pl.when(pl.col("input") != "").then(pl.lit("\n\n") + pl.col("input"))
        whole = pl.concat_str("instruction", extra.otherwise(pl.lit("")))
        prompts = run.texts.select(whole).to_series()
    return _pairs(prompts, run.texts[first_filled(run.first, OUTPUT_KEYS)])


def _prompt_completion(run: Run) -> dict[str, Any]:
    return _pairs(run.texts["prompt"], run.texts[first_filled(run.first, COMPLETION_KEYS)])


def _question_answer(run: Run) -> dict[str, Any]:
    question, answer = question_keys(run.first)
    gold = [final_answer(text) for text in run.texts[answer]]
    pairs = _pairs(run.texts[question], run.texts[answer])
    return {**pairs, "answer": pl.Series(gold, dtype=pl.String)}


def _text(run: Run) -> dict[str, Any]:
    return {"kind": pl.lit("text"), "text": run.texts["text"]}


_MAKERS: dict[RowFormat, Callable[[Run], dict[str, Any]]] = {
    RowFormat.ALPACA: _alpaca,
    RowFormat.PROMPT_COMPLETION: _prompt_completion,
    RowFormat.QUESTION_ANSWER: _question_answer,
    RowFormat.TEXT: _text,
}
