"""Rows that say the same, or that hold what an evaluation asks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

from curate.api.frames import prepared
from curate.api.making import step
from curate.steps.base import Outcome
from curate.steps.configs import (
    Decontaminate,
    DecontaminateFile,
    ExactDuplicates,
    NearDuplicates,
)
from curate.steps.decontaminate import DecontaminateStep
from curate.steps.exact_duplicates import ExactDuplicatesStep
from curate.steps.near_duplicates import NearDuplicatesStep

if TYPE_CHECKING:
    from curate.calibration.outcome import Calibration


def dedupe(
    frame: pl.LazyFrame | pl.DataFrame,
    *,
    threshold: float = 0.8,
    text: str = "whole",
    keep: str = "longest",
) -> Outcome:
    """Drop exact duplicates, then near-duplicates.

    Args:
        frame: rows.
        threshold: least similarity of near-duplicates; 1 keeps them all.
        text: what they have in common: `whole`, `prompt` or `answer`.
        keep: which of two stays: `longest`, `quality` or `first`.
    """
    context, rows = prepared(frame, loosest=threshold)
    outcome = ExactDuplicatesStep(ExactDuplicates()).apply(rows, context)
    if threshold != 1:  # beyond 1 is for the step to refuse
        config = NearDuplicates.model_validate({"threshold": threshold, "text": text, "keep": keep})
        near = NearDuplicatesStep(config).apply(outcome.kept, context)
        dropped = pl.concat([outcome.dropped, near.dropped])
        outcome = Outcome(near.kept, dropped, outcome.notes + near.notes)
    return outcome


def calibrate(
    frame: pl.LazyFrame | pl.DataFrame,
    *,
    precision: float = 0.99,
    seed: int = 0,
    plants: int = 2000,
    sample: int = 20_000,
) -> Calibration:
    """Say which threshold of `dedupe` suits these rows, from plants of known truth among them.

    Args:
        frame: rows.
        precision: wanted share of true copies among the rows removed, above 0 and below 1.
        seed: the same one makes the same plants.
        plants: how many rows to plant, half of them copies.
        sample: most rows to draw plants from and to compare with each other.

    Raises:
        UsageError: a value that cannot be.
        DataError: too few rows to make plants of.
    """
    from curate.calibration.calibrate import THRESHOLDS
    from curate.calibration.calibrate import calibrate as measure

    context, _ = prepared(frame, loosest=THRESHOLDS[0])
    return measure(context, precision=precision, seed=seed, plants=plants, sample=sample)


def semantic_duplicates(
    frame: pl.LazyFrame | pl.DataFrame, embedder: str, *, threshold: float = 0.95, **settings: Any
) -> Outcome:
    """Drop rows that mean the same as a better one, by the cosine of their embeddings.

    Args:
        frame: rows.
        embedder: a model2vec or sentence-transformers folder, a hub name, or `lexical`.
        threshold: least cosine.
        settings: as in the recipe: `text`, `keep`, `same_numbers`.
    """
    return step(frame, "semantic_duplicates", embedder=embedder, threshold=threshold, **settings)


def decontaminate(
    frame: pl.LazyFrame | pl.DataFrame,
    *,
    suites: Sequence[str] = (),
    files: Sequence[tuple[str, str] | tuple[str, str, str]] = (),
    threshold: float = 0.8,
    ngram: int = 8,
) -> Outcome:
    """Drop rows that hold an item of an evaluation.

    Args:
        frame: rows.
        suites: names of suites, paths, or `builtin:NAME`.
        files: path and field of other items; third the field of their answers, which make a
            partial match a leak.
        threshold: least share or similarity of a leak.
        ngram: words in an n-gram.
    """
    context, rows = prepared(frame)
    items = [dict(zip(("path", "field", "answer"), one, strict=False)) for one in files]
    config = Decontaminate(
        suites=tuple(suites),
        files=tuple(DecontaminateFile.model_validate(one) for one in items),
        threshold=threshold,
        ngram=ngram,
    )
    return DecontaminateStep(config).apply(rows, context)
