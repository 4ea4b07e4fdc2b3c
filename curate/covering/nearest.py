"""The training prompts nearest to each real input, block by block."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evalsuite.embedding import Floats

Rows = NDArray[np.int64]

KEPT = 3
"""Nearest training rows remembered for each real input."""
_STEP = 2_000


@dataclass
class Nearest:
    """The nearest rows so far; blocks are added one after the other."""

    similarity: Floats
    """Cosine to the `KEPT` nearest rows, falling, shape (inputs, KEPT); -1 where none is."""
    rows: Rows
    """They, shape (inputs, KEPT)."""

    @classmethod
    def none(cls, inputs: int) -> Nearest:
        """Return the beginning, without a row."""
        return cls(np.full((inputs, KEPT), -1, np.float32), np.full((inputs, KEPT), -1, np.int64))

    def add(self, inputs: Floats, block: Floats, rows: Rows) -> None:
        """Compare the inputs with more rows.

        Args:
            inputs: unit vectors, shape (inputs, dimensions).
            block: unit vectors, shape (rows, dimensions).
            rows: what the rows are called.
        """
        for begin in range(0, len(rows), _STEP):
            part = slice(begin, begin + _STEP)
            scores = inputs @ block[part].T
            few = min(KEPT, scores.shape[1])
            best = np.argpartition(-scores, few - 1, axis=1)[:, :few]
            both = np.hstack([self.similarity, np.take_along_axis(scores, best, axis=1)])
            names = np.hstack([self.rows, rows[part][best]])
            order = np.argsort(-both, axis=1, kind="stable")[:, :KEPT]
            self.similarity = np.take_along_axis(both, order, axis=1)
            self.rows = np.take_along_axis(names, order, axis=1)


def among_themselves(vectors: Floats) -> Floats:
    """Return for each input the cosine to the nearest other one, shape (inputs,); 0 if alone."""
    out = np.zeros(len(vectors), np.float32)
    for begin in range(0, len(vectors), _STEP):
        scores = vectors[begin : begin + _STEP] @ vectors.T
        mine = np.arange(len(scores))
        scores[mine, mine + begin] = -1
        out[begin : begin + _STEP] = scores.max(axis=1)
    return out if len(vectors) > 1 else np.zeros(len(vectors), np.float32)
