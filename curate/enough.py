"""How much data there is, beside the field's rules of thumb for what it is meant to teach.

Nobody can tell from the number of rows whether a tuning will work: a rule of thumb says what others
found to be little. Each is given with its source; the only proof is an evaluation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

import polars as pl

from curate.conventions.aspects import coded, prepared
from curate.conventions.objects import AROUND, Objects
from curate.conventions.vocabulary import is_vocabulary
from curate.ledger import Count
from curate.schema import CANARY
from curate.steps.quality.rules.base import text_columns
from evalsuite.stats.power import minimum_detectable_effect
from workspace.text import plain

VERY_FEW, FEW = 50, 500
"""Rows below which a warning is due."""
LABEL_ROWS, LABEL_LEAST = 100, 5
FLIP_RATE = 0.1
"""Share of items assumed to be right under one model and wrong under the other."""
MARGIN = 0.05
"""Difference that a test split should be able to show; a suite's default margin."""
_LOOKED_AT = 5_000
_NAMED = 5


class Task(StrEnum):
    """What rows are meant to teach, told from the rows."""

    CLASSIFICATION = "classification"
    EXTRACTION = "extraction"
    CHAT = "chat and style"
    PREFERENCE = "preferences"
    REASONING = "reasoning"
    TEXT = "continued pre-training"


@dataclass(frozen=True)
class Rule:
    """A rule of thumb."""

    rows: int | None
    """Rows that the source calls enough to begin with; None: it names no number."""
    said: str
    source: str
    """Empty: nobody in particular."""


RULES: Mapping[Task, Rule] = {
    Task.CLASSIFICATION: Rule(
        1_000,
        "1,000 rows and 100 of each class are advised, and 5 of a class are the least",
        "Yandex Cloud, Tuning classification models; Cohere, Preparing the Classify data",
    ),
    Task.EXTRACTION: Rule(
        100,
        "100 to 500 rows are advised for one task with a fixed form",
        "Google Cloud, About supervised tuning datasets",
    ),
    Task.CHAT: Rule(
        1_000,
        "50 to 100 rows show a first effect; 1,000 chosen with care taught a style",
        "OpenAI, Fine-tuning guide; LIMA, arXiv 2305.11206",
    ),
    Task.PREFERENCE: Rule(
        None,
        "no number is agreed on; more and more varied pairs went on helping",
        "Bernardelle and Demartini, arXiv 2410.16586",
    ),
    Task.REASONING: Rule(
        1_000,
        "1,000 solutions, chosen for quality, difficulty and variety, were enough for a strong "
        "32B model",
        "s1, arXiv 2501.19393",
    ),
    Task.TEXT: Rule(None, "text is counted in tokens, and no number of rows is a rule", ""),
}


@dataclass(frozen=True)
class Amounts:
    """What there is to train on."""

    task: Task
    rows: int
    labels: Mapping[str, int]
    """Rows of each label or class; empty where there are none."""


def amounts(train: pl.LazyFrame, kind: str) -> Amounts:
    """Return how much there is in the rows of a train split.

    Args:
        train: the columns of the type, and `user_label`, or `label` in `meta`, where known.
        kind: the dataset type.
    """
    train = _without_planted(train)
    rows = int(train.select(pl.len()).collect().item())
    if not rows:
        return Amounts(Task.CHAT, 0, {})
    step = -(-rows // _LOOKED_AT)
    said = next(one for one in text_columns(kind, pl.lit(None)) if one.meta.output_name() == "last")
    sample = train.gather_every(step).select(said.alias("said")).collect()["said"].fill_null("")
    own = _own_labels(train)
    labels = dict(
        train.select(own.alias("l")).drop_nulls().group_by("l").len().collect().iter_rows()
    )
    if not is_vocabulary(labels):
        labels = {}
    task = _task(kind, sample)
    if task is Task.CLASSIFICATION:
        answers = train.select(said.alias("l")).group_by("l").len().collect()
        labels = dict(answers.iter_rows())
    return Amounts(task, rows, labels)


def fitness_notes(kept: pl.LazyFrame, kind: str, splits: Mapping[str, Count]) -> tuple[str, ...]:
    """Return what is to be said of the amounts of a curated dataset.

    Args:
        kept: its rows, with `split`.
        kind: the dataset type.
        splits: name → rows.
    """
    train = amounts(kept.filter(pl.col("split") == "train"), kind)
    return (*amount_notes(train), *split_size_notes(splits))


def _without_planted(train: pl.LazyFrame) -> pl.LazyFrame:
    """Leave out planted strings, which are rows of no task and whose answers are no labels."""
    schema = train.collect_schema()
    if CANARY in schema:
        return train.filter(pl.col(CANARY).is_null())
    meta = schema.get("meta")
    if isinstance(meta, pl.Struct) and any(field.name == CANARY for field in meta.fields):
        return train.filter(pl.col("meta").struct.field(CANARY).is_null())
    return train


def _own_labels(train: pl.LazyFrame) -> pl.Expr:
    schema = train.collect_schema()
    if "user_label" in schema:
        return pl.col("user_label")
    meta = schema.get("meta")
    if isinstance(meta, pl.Struct) and any(field.name == "label" for field in meta.fields):
        return pl.col("meta").struct.field("label")
    return pl.lit(None, pl.String)


def _task(kind: str, said: pl.Series) -> Task:
    """Tell the task from the answers: what most of them are."""
    of_kind = {
        "preference": Task.PREFERENCE,
        "unpaired_preference": Task.PREFERENCE,
        "answer": Task.REASONING,
        "text": Task.TEXT,
    }
    if kind in of_kind:
        return of_kind[kind]
    objects = Objects()
    is_object = objects.add(said.str.strip_chars())
    forms = objects.forms[0]
    if ((forms >= 0) & (forms <= AROUND)).mean() > 0.5:
        return Task.EXTRACTION
    if is_vocabulary(dict(said.value_counts().iter_rows())):
        return Task.CLASSIFICATION
    codes = coded(prepared(pl.DataFrame({"said": said, "is_object": is_object})))
    marked = codes["final_marker"].is_between(0, 3) | (codes["thinking"] == 0)
    return Task.REASONING if float(marked.mean() or 0.0) > 0.5 else Task.CHAT  # type: ignore[arg-type]


def amount_notes(found: Amounts) -> Iterator[str]:
    """Yield what is to be said of the amount of training rows, warnings first."""
    rule = RULES[found.task]
    what = f"{found.rows:,} rows to train on"
    if found.rows < VERY_FEW:
        yield (
            f"WARNING: {what}: below {VERY_FEW} a tuning hardly shows; examples in the prompt may "
            "do as much."
        )
    elif found.rows < FEW:
        yield (
            f"WARNING: {what}: below {FEW} a tuning learns a form or style, rarely a skill, and "
            "passes over them soon repeat what they hold."
        )
    yield from _label_notes(found)
    beside = ""
    if rule.rows is not None:
        beside = f" Here are {found.rows:,}" + (", fewer." if found.rows < rule.rows else ".")
    source = f" ({rule.source})" if rule.source else ""
    yield f"The rows look like {found.task}. A rule of thumb, no more: {rule.said}{source}.{beside}"


def _label_notes(found: Amounts) -> Iterator[str]:
    tiers = ((LABEL_LEAST, "the least that classifiers are tuned with"), (VERY_FEW, "very few"))
    rest = sorted(found.labels.items(), key=lambda item: (item[1], item[0]))
    for limit, meaning in tiers:
        below = [(label, rows) for label, rows in rest if rows < limit]
        rest = [(label, rows) for label, rows in rest if rows >= limit]
        if below:
            yield (
                f"WARNING: {len(below):,} of {len(found.labels):,} labels have fewer than {limit} "
                f"rows, {meaning}: {_listed(below)}."
            )
    scarce = [(label, rows) for label, rows in rest if rows < LABEL_ROWS]
    if scarce and found.task is Task.CLASSIFICATION:
        yield (
            f"{len(scarce):,} of {len(found.labels):,} labels have fewer than {LABEL_ROWS} rows: "
            f"{_listed(scarce)}."
        )


def _listed(labels: list[tuple[str, int]]) -> str:
    more = ", …" if len(labels) > _NAMED else ""
    return ", ".join(f"{plain(label, 40)!r} {rows}" for label, rows in labels[:_NAMED]) + more


def smallest_difference(items: int, flip_rate: float = FLIP_RATE) -> float:
    """Return the smallest difference in score that a test of right-or-wrong items can show.

    With 80 % power at the 5 % level, two-sided, if `flip_rate` of the items change sides.

    >>> round(smallest_difference(400), 3)
    0.044
    """
    return minimum_detectable_effect(flip_rate, items)


def split_size_notes(splits: Mapping[str, Count], margin: float = MARGIN) -> Iterator[str]:
    """Yield a note for the test split: the smallest difference that it can show.

    Args:
        splits: name → rows.
        margin: a difference that should be seen; a warning is due if it cannot be.
    """
    test = splits.get("test")
    if test is None or not test.rows:
        return
    least = smallest_difference(test.rows)
    warns = "WARNING: " if least > margin else ""
    yield (
        f"{warns}test has {test.rows:,} rows: it shows differences of {least * 100:.1f} points or "
        f"more between two models (80 % power, 5 % level, if {FLIP_RATE:.0%} of the answers change "
        "sides)."
    )
