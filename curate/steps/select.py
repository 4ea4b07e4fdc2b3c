"""A subset that represents all rows: near to them all, far from each other, or good and varied."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from curate.embedding.rows import Embedded, embedded
from curate.reasons import Reason
from curate.steps.balancing.rebalance import quality_of
from curate.steps.base import (
    Depends,
    Outcome,
    Rows,
    StepContext,
    dropped_rows,
    positions,
    settings_of,
    split_off,
)
from curate.steps.selection.configs import Select
from curate.steps.selection.facility import EXACT_ROWS, SAMPLE_ROWS, facility_location
from curate.steps.selection.farthest import farthest_first
from curate.steps.selection.vectors import SCALE, Vectors

_BLOCK = 2_048


class SelectStep:
    """Keeps exactly as many rows as are asked for."""

    name: ClassVar[str] = "select"
    scope: ClassVar[Literal["row", "global"]] = "global"

    def __init__(self, config: Select, vectors: Vectors | None = None) -> None:
        """Take vectors of one's own, one for each row that is still there, instead of words."""
        self.config = config
        self.vectors = vectors

    def depends_on(self, context: StepContext) -> Depends | None:
        """Return what the outcome depends on beside the rows, if that is all in the recipe."""
        alone = self.vectors is None and self.config.vectors == "lexical"
        return settings_of(self.config) if alone else None

    def apply(self, frame: pl.LazyFrame, context: StepContext) -> Outcome:
        """Drop the rows that are not chosen.

        Raises:
            DataError: `mmr` without a column of numbers.
            ModelError: the embedder cannot be loaded.
        """
        rows = positions(frame)
        count = _number(self.config.rows, rows.size)
        if count >= rows.size:
            note = f"{rows.size:,} rows are there, {count:,} were asked for: all are kept."
            return split_off(
                frame, dropped_rows(self.name, rows[:0], Reason.NOT_SELECTED, []), (note,)
            )
        have = self._vectors(rows, context)
        vectors = have.vectors
        context.tell(f"choosing {count:,} of {rows.size:,} rows")
        chosen = np.sort(self._chosen(vectors, rows, count, context))
        others = np.setdiff1d(np.arange(rows.size), chosen, assume_unique=True)
        near, similarity = nearest(vectors, others, chosen)
        of = context.ids.gather(rows[near])
        detail = [
            f"not among the {count:,} chosen; the nearest of them is {name}, similarity {value:.2f}"
            for name, value in zip(of, similarity.tolist(), strict=True)
        ]
        dropped = dropped_rows(self.name, rows[others], Reason.NOT_SELECTED, detail)
        return split_off(frame, dropped, self._notes(have, similarity, rows.size))

    def _vectors(self, rows: Rows, context: StepContext) -> Embedded:
        if self.vectors is not None:
            return Embedded(self.vectors, "your own vectors", True)
        text = "whole" if self.config.text == "both" else self.config.text
        return embedded(rows, self.config.vectors, text, context)

    def _chosen(self, vectors: Vectors, rows: Rows, count: int, context: StepContext) -> Rows:
        config = self.config
        if config.method == "facility_location":
            return facility_location(vectors, count, seed=config.seed)
        if config.method == "k_centre":
            return farthest_first(vectors, count)
        bonus = config.quality_share * _ranks(self._quality(rows, context))
        share = 1 - config.quality_share
        return farthest_first(vectors, count, bonus=bonus, distance_share=share)

    def _quality(self, rows: Rows, context: StepContext) -> NDArray[np.float64]:
        if self.config.quality == "answer_length":
            return context.answers.lengths[rows].astype(np.float64)
        return quality_of(rows, self.config.quality, context)

    def _notes(self, have: Embedded, similarity: NDArray[np.float64], rows: int) -> tuple[str, ...]:
        source = have.name if self.vectors is not None else have.told
        notes = [
            *have.notes,
            f"By {source}, the rows not chosen have a similarity of {similarity.mean():.2f} to the "
            f"nearest chosen one on average, and of {similarity.min():.2f} at least.",
        ]
        if self.config.method == "facility_location" and rows > EXACT_ROWS:
            notes.append(
                f"Of {rows:,} rows, {SAMPLE_ROWS:,} stood for all when the choices were weighed."
            )
        return tuple(notes)


def _number(wanted: float, rows: int) -> int:
    return max(1, round(wanted * rows)) if wanted < 1 else int(wanted)


def _ranks(quality: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share of rows that are worse, equal ones alike: 0 to 1, whatever the scale."""
    _, place, counts = np.unique(quality, return_inverse=True, return_counts=True)
    below = np.cumsum(counts) - counts
    return np.asarray(below[place] / max(quality.size - counts[-1], 1), np.float64)


def nearest(vectors: Vectors, places: Rows, chosen: Rows) -> tuple[Rows, NDArray[np.float64]]:
    """Return the chosen row most similar to each row, and how similar: a cosine.

    Args:
        vectors: of all rows.
        places: rows asked about.
        chosen: places among which to look, ascending; of equal ones the first is named.
    """
    norms = np.sqrt(vectors.norms().astype(np.float64))
    found = np.zeros(places.size, np.int64)
    best = np.full(places.size, -np.inf)
    for begin in range(0, places.size, _BLOCK):
        mine = slice(begin, begin + _BLOCK)
        left = vectors.of(places[mine])
        for first in range(0, chosen.size, _BLOCK):
            some = chosen[first : first + _BLOCK]
            scale = np.where(norms[some] > 0, norms[some], SCALE).astype(np.float32)
            products = (left @ vectors.of(some).T) / scale
            place = products.argmax(axis=1)
            value = products[np.arange(place.size), place].astype(np.float64)
            better = value > best[mine]
            found[mine][better] = some[place[better]]
            best[mine] = np.maximum(best[mine], value)
    lengths = np.where(norms[places] > 0, norms[places], SCALE)
    return found, np.clip(best / lengths, -1.0, 1.0)
