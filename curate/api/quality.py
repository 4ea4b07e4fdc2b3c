"""What single rows are like: repaired, dropped by rules, without personal data, scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from curate.api.frames import prepared
from curate.frame import hashed_content
from curate.one_step import validated
from curate.private import write_private
from curate.steps.base import Outcome, StepContext
from curate.steps.filter import FilterStep
from curate.steps.quality.configs import PERSONAL_KINDS, Filter, Redact, Repair
from curate.steps.redact import RedactStep
from curate.steps.repair import RepairStep
from curate.steps.score import ScoreStep
from curate.steps.scoring.configs import Score


def repair(
    frame: pl.LazyFrame | pl.DataFrame,
    *,
    encoding: bool = True,
    controls: bool = True,
    nfc: bool = True,
) -> Outcome:
    """Repair encoding damage; `changed` says what was done to which row."""
    context, rows = prepared(frame)
    config = Repair(encoding=encoding, controls=controls, nfc=nfc)
    return _rehashed(RepairStep(config).apply(rows, context), context)


def filter(
    frame: pl.LazyFrame | pl.DataFrame, *, preset: str | None = None, **rules: Any
) -> Outcome:
    """Drop rows by named rules.

    Args:
        frame: rows of one type.
        preset: `chat`, `solutions` or `web`.
        rules: name of a rule → its settings as a dictionary, True, or False; `patterns` is a list.
    """
    context, rows = prepared(frame)
    config = Filter.model_validate({**({"preset": preset} if preset else {}), **rules})
    return FilterStep(config).apply(rows, context)


def redact(
    frame: pl.LazyFrame | pl.DataFrame,
    *,
    kinds: Sequence[str] = PERSONAL_KINDS,
    action: str = "redact",
    map: str | Path | None = None,
    presidio: Mapping[str, Any] | None = None,
) -> Outcome:
    """Replace personal data by placeholders, or drop the rows that hold some.

    Args:
        frame: rows of one type.
        kinds: of email, phone, card, iban, ip, key.
        action: `redact` or `drop`.
        map: a file for what each placeholder stood for, written with mode 0600.
        presidio: as in the recipe: `model`, `language`, `entities`, `score`; needs the extra `pii`.

    Raises:
        UsageError: a value that the step does not take, or no such spaCy model.
    """
    context, rows = prepared(frame)
    settings = {
        "kinds": tuple(kinds),
        "action": action,
        "map": None if map is None else str(map),
        "presidio": presidio,
    }
    outcome = RedactStep(validated(Redact, settings)).apply(rows, context)
    if outcome.private is not None:
        write_private([outcome.private])
    return _rehashed(outcome, context)


def _rehashed(outcome: Outcome, context: StepContext) -> Outcome:
    """Changed rows have another content hash."""
    if outcome.changed.is_empty():
        return outcome
    return replace(outcome, kept=hashed_content(outcome.kept, context.type))


def score(
    frame: pl.LazyFrame | pl.DataFrame,
    kind: str,
    *,
    model: str | Path | None = None,
    **settings: Any,
) -> Outcome:
    """Give every row a number by a model, in the struct column `scores`, and drop rows by it.

    Args:
        frame: rows of one type.
        kind: `perplexity`, `ifd`, `judge` or `reward`.
        model: `builtin`, a directory or a hub name, for all but `judge`.
        settings: as in the recipe: `min`, `max`, `keep_share`, `name`, `backend`, `rubric` …

    Raises:
        UsageError: there is no such kind, or it does not take these settings.
        ModelError: the model cannot be used.
    """
    given = {**settings, **({"model": str(model)} if model is not None else {})}
    context, rows = prepared(frame)
    return ScoreStep(validated(Score, {kind: given})).apply(rows, context)
