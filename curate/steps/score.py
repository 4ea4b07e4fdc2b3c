"""A number for each row by a model, and rows that go by it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import polars as pl
import polars_hash as plh
from numpy.typing import NDArray

from curate.frame import ROW
from curate.scores import Scores, with_scores
from curate.steps.base import Outcome, StepContext, dropped_rows, positions, split_off
from curate.steps.quality.cells import blocks
from curate.steps.scoring.base import Measured, Scorer
from curate.steps.scoring.cache import ScoreCache, fingerprint_name
from curate.steps.scoring.configs import Ifd, Judge, Perplexity, Reward, Score, ScoreConfig
from curate.steps.scoring.ifd import IfdScorer
from curate.steps.scoring.judge import JudgeScorer
from curate.steps.scoring.perplexity import PerplexityScorer
from curate.steps.scoring.reward import RewardScorer
from curate.steps.scoring.thresholds import judged, rows_have, told
from curate.texts import TYPES, canonical
from workspace.errors import UsageError

SLICE_ROWS = 2_000
"""Rows that are tokenised, sorted by length and scored together."""
_KEY = "_score_key"
_SHOWN_IDS = 3


def cache_directory(context: StepContext) -> Path:
    """Return where scores are kept."""
    return context.workspace.cache / "scores"


def make_scorer(config: ScoreConfig, context: StepContext) -> Scorer:
    """Return who scores.

    Raises:
        UsageError: no model is named.
        ModelError: there is no such model.
        DataError: rows of this type cannot be scored so.
    """
    if isinstance(config, Judge):
        return JudgeScorer(config, context, cache_directory(context))
    makers: dict[type, Callable[[Any, StepContext], Scorer]] = {
        Perplexity: PerplexityScorer,
        Ifd: IfdScorer,
        Reward: RewardScorer,
    }
    return makers[type(config)](config, context)


class ScoreStep:
    """Looks scores up, computes those that are missing, then holds all against thresholds."""

    name: ClassVar[str] = "score"
    scope: ClassVar[Literal["row", "global"]] = "global"

    def __init__(self, config: Score) -> None:
        self.config = config.config

    def apply(self, frame: pl.LazyFrame, context: StepContext) -> Outcome:
        """Give each row its score, and drop those that fail.

        Raises:
            UsageError, ModelError, DataError: the model, or rows of this type, cannot be used.
            WorkError: a judge answers nobody, or the disk refuses; what was computed is kept.
        """
        config = self.config
        if isinstance(config, Reward) and config.min_margin is not None:
            _check_pairs(context.type)
        scorer = make_scorer(config, context)
        context.tell(f"{config.column} by {scorer.described}")
        rows = positions(frame)
        with closing(scorer):
            gathered = _Gathering(scorer, context, rows)
            gathered.run(frame)
            notes = scorer.notes()
        values = {name: gathered.values[:, i] for i, name in enumerate(scorer.columns)}
        verdicts = judged(config, values, gathered.missing)
        places = verdicts.goes
        dropped = dropped_rows(
            self.name,
            rows[places],
            [verdicts.reason[i] for i in places.tolist()],
            [verdicts.detail[i] for i in places.tolist()],
        )
        notes += told(config.column, values[config.column], gathered.missing)
        notes += _unhelped(config, values[config.column], rows, context)
        found = pl.DataFrame({ROW: rows, **values}).fill_nan(None)
        scores = Scores(found, fingerprint_name(scorer.fingerprint))
        outcome = split_off(with_scores(frame, found), dropped, notes).with_scores(scores)
        now = f"{config.column}: {gathered.computed:,} of {rows.size:,} rows were computed now."
        return replace(outcome, run_notes=(now,))


class _Gathering:
    """Scores of all rows, slice by slice: known ones from the cache, the others from the model."""

    def __init__(self, scorer: Scorer, context: StepContext, rows: NDArray[np.int64]) -> None:
        self.scorer = scorer
        self.context = context
        self.rows = rows
        self.values = np.full((rows.size, len(scorer.columns)), np.nan)
        self.missing: dict[int, str] = {}
        """Place → why there is no score."""
        self.computed = 0
        """Rows that were scored now; equal rows are scored once."""
        self.done = 0

    def run(self, frame: pl.LazyFrame) -> None:
        """Go through all rows."""
        kind = self.context.type
        columns = [*TYPES[kind].all, "tools", "source", "user_id"]
        directory = cache_directory(self.context)
        width = len(self.scorer.columns)
        with closing(ScoreCache(directory, self.scorer.fingerprint, width)) as cache:
            for block in blocks(frame, self.context, [*columns, canonical(kind).alias(_KEY)]):
                keyed = block.with_columns(plh.col(_KEY).chash.sha2_256().str.slice(0, 32))
                for part in keyed.iter_slices(SLICE_ROWS):
                    self._slice(part, cache)

    def _slice(self, part: pl.DataFrame, cache: ScoreCache) -> None:
        keys = [bytes.fromhex(key) for key in part[_KEY]]
        places = np.searchsorted(self.rows, part[ROW].to_numpy()).tolist()
        wanted: dict[bytes, list[int]] = {}
        first: dict[bytes, int] = {}
        whence = part.select("source", "user_id").iter_rows()
        for line, (key, place, (source, user_id)) in enumerate(
            zip(keys, places, whence, strict=True)
        ):
            excuse = self.scorer.excused(source, user_id)
            if excuse:
                self.missing[place] = excuse
                self.done += 1
                continue
            wanted.setdefault(key, []).append(place)
            first.setdefault(key, line)
        known = cache.find(list(wanted))
        self._enter(wanted, known.items())
        unknown = [key for key in wanted if key not in known]
        if not unknown:
            return
        self.computed += len(unknown)
        records = list(part[[first[key] for key in unknown]].iter_rows(named=True))
        # Closed here, also by a stop: requests of a judge that are under way end first.
        with closing(self.scorer.measure(records)) as measuring:
            for some, found in measuring:
                batch = [(unknown[i], one) for i, one in zip(some, found, strict=True)]
                if batch:
                    cache.put(batch)
                self._enter(wanted, batch)

    def _enter(
        self, wanted: dict[bytes, list[int]], found: Iterable[tuple[bytes, Measured]]
    ) -> None:
        for key, one in found:
            for place in wanted[key]:
                if one.values:
                    self.values[place] = one.values
                else:
                    self.missing[place] = one.reason
            self.done += len(wanted[key])
        self.context.advance(self.done, self.rows.size, "rows")


def _check_pairs(kind: str) -> None:
    if kind != "preference":
        raise UsageError(
            "only preferences have a margin",
            where="score.reward.min_margin",
            cause=f"These rows are of type {kind}.",
            cure="Use `min`, or give rows with `chosen` and `rejected`.",
        )


def _unhelped(
    config: ScoreConfig, scores: NDArray[np.float64], rows: NDArray[np.int64], context: StepContext
) -> tuple[str, ...]:
    """Say of how many rows the prompt does not help a model to the answer."""
    if not isinstance(config, Ifd):
        return ()
    places = np.flatnonzero(scores >= 1)
    if not places.size:
        return ()
    worst = places[np.argsort(-scores[places], kind="stable")][:_SHOWN_IDS]
    ids = ", ".join(context.ids.gather(rows[worst]))
    note = (
        f"{rows_have(places.size)} an {config.column} of 1 or more: the prompt does not help to "
        f"the answer. The highest: {ids}."
    )
    if places.size * 2 > np.count_nonzero(~np.isnan(scores)):
        foreign = (
            "WARNING: that is more than half of them. To a model that does not know this kind of "
            f"text any prompt is noise: another one tells more by {config.column}."
        )
        return note, foreign
    return (note,)
