"""Rows as vectors of whole numbers, so that their products are exact.

A unit vector times 1024, rounded, has products below 2**21; sums of these in single precision are
exact in any order. So neither the number of threads nor the processor changes which row is chosen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curate.steps.base import StepContext
from evalsuite.embedding.lexical import DIMENSIONS, Lexical
from evalsuite.similarity.tokens import TokenTable, joined

Rows = NDArray[np.int64]
Floats = NDArray[np.float32]

SCALE = 1024
"""Length of a vector."""
_BLOCK = 8_192


@dataclass(frozen=True)
class Vectors:
    """One vector for each row."""

    values: NDArray[np.int16]
    """Shape (rows, dimensions); each of length `SCALE`, or 0 where there is nothing to compare."""

    def __len__(self) -> int:
        return int(self.values.shape[0])

    def of(self, places: Rows | slice) -> Floats:
        """Return some of the vectors as floats that hold whole numbers."""
        return self.values[places].astype(np.float32)

    def blocks(self, rows: int = _BLOCK) -> Iterator[tuple[slice, Floats]]:
        """Yield all vectors, a block at a time."""
        for begin in range(0, len(self), rows):
            place = slice(begin, min(begin + rows, len(self)))
            yield place, self.of(place)

    def norms(self) -> Floats:
        """Return the squared length of each vector, shape (rows,)."""
        squares = [(block**2).sum(axis=1) for _, block in self.blocks()]
        return np.concatenate(squares) if squares else np.empty(0, np.float32)


def whole_numbers(values: NDArray[np.floating]) -> NDArray[np.int16]:
    """Return vectors of any length as vectors of whole numbers of length `SCALE`.

    >>> whole_numbers(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
    [[614, 819], [0, 0]]
    """
    wide = np.nan_to_num(np.asarray(values, np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    largest = np.abs(wide).max(axis=1, keepdims=True, initial=0.0)
    wide = np.divide(wide, largest, out=np.zeros_like(wide), where=largest > 0)
    length = np.sqrt((wide**2).sum(axis=1, keepdims=True))
    unit = np.divide(wide, length, out=np.zeros_like(wide), where=length > 0)
    return np.asarray(np.rint(unit * SCALE), np.int16)


def lexical(context: StepContext, rows: Rows, text: str) -> Vectors:
    """Return vectors by the words of the rows alone; see `evalsuite.embedding.lexical`."""
    table = _table(context, text).take(rows)
    embedder = Lexical.learn(table)
    values = np.zeros((len(table), DIMENSIONS), np.int16)
    for begin in range(0, len(table), _BLOCK):
        block = np.arange(begin, min(begin + _BLOCK, len(table)))
        values[block] = whole_numbers(embedder.hashed(table.take(block)))
    return Vectors(values)


def _table(context: StepContext, text: str) -> TokenTable:
    if text == "prompt" or context.type == "text":
        return context.prompts
    return context.answers if text == "answer" else joined(context.prompts, context.answers)


Source = Callable[[StepContext, Rows, str], Vectors]
SOURCES: dict[str, Source] = {"lexical": lexical}
"""Where vectors come from: another source is a function and a line here."""
