"""What a threshold decided only just: the pairs nearest to it, and how alike all pairs are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from curate.frame import NEAREST, SIMILARITIES
from curate.steps.base import Rows
from evalsuite.similarity.index import Index

EACH_SIDE = 20
"""Pairs that are remembered on either side of the threshold."""
_BINS = 30


@dataclass(frozen=True)
class Judged:
    """How a step decided on rows by their similarity."""

    step: str
    threshold: float
    rows: Rows
    """The rows it decided on, ascending."""
    partner: Rows
    """The row for whose sake each was dropped; -1: it was kept."""
    score: NDArray[np.float64]
    """Their similarity."""

    def nearest(self, index: Index, ids: pl.Series) -> pl.DataFrame:
        """Return the pairs nearest to the threshold, those just dropped first.

        Args:
            index: of all rows.
            ids: of all rows.
        """
        gone = np.flatnonzero(self.partner >= 0)
        gone = gone[np.argsort(self.score[gone], kind="stable")][:EACH_SIDE]
        first, second, score = self._just_kept(index)
        rows = np.concatenate([self.rows[gone], second])
        partners = np.concatenate([self.partner[gone], first])
        return pl.DataFrame(
            {
                "step": [self.step] * rows.size,
                "threshold": [self.threshold] * rows.size,
                "similarity": np.concatenate([self.score[gone], score]),
                "dropped": [True] * gone.size + [False] * score.size,
                "row": ids.gather(rows),
                "partner": ids.gather(partners),
            },
            schema=NEAREST,
        )

    def _just_kept(self, index: Index) -> tuple[Rows, Rows, NDArray[np.float64]]:
        """Return pairs of kept rows just below the threshold, the most alike first."""
        kept = self.rows[self.partner < 0]
        classes, place = np.unique(index.class_of[kept], return_index=True)
        below = index.duplicate & (index.score < self.threshold)
        below &= np.isin(index.first, classes) & np.isin(index.second, classes)
        pairs = np.flatnonzero(below)
        pairs = pairs[np.argsort(-index.score[pairs], kind="stable")][:EACH_SIDE]
        first = kept[place[np.searchsorted(classes, index.first[pairs])]]
        second = kept[place[np.searchsorted(classes, index.second[pairs])]]
        return np.minimum(first, second), np.maximum(first, second), index.score[pairs]

    def similarities(self, index: Index, loosest: float) -> pl.DataFrame:
        """Return how many pairs of these rows are how alike.

        Args:
            index: of all rows.
            loosest: the least similarity that the index keeps.
        """
        classes = np.unique(index.class_of[self.rows])
        here = np.isin(index.first, classes) & np.isin(index.second, classes)
        low = min(loosest, self.threshold)
        edges = np.linspace(low, 1.0, _BINS + 1) if low < 1 else np.array([0.99, 1.0])
        score = np.clip(index.score, edges[0], edges[-1])
        pairs, _ = np.histogram(score[here], edges)
        same, _ = np.histogram(score[here & index.duplicate], edges)
        return pl.DataFrame(
            {
                "step": [self.step] * pairs.size,
                "threshold": [self.threshold] * pairs.size,
                "low": edges[:-1],
                "high": edges[1:],
                "pairs": pairs,
                "duplicates": same,
            },
            schema=SIMILARITIES,
        )
