"""What an embedder is: texts in, one vector of unit length for each out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


class Embedder(Protocol):
    """Turns texts into vectors whose cosine says how alike they are."""

    @property
    def name(self) -> str:
        """As the recipe says it, for people."""
        ...

    @property
    def digest(self) -> str:
        """SHA-256 of everything a vector depends on: weights, config, tokenizer."""
        ...

    @property
    def semantic(self) -> bool:
        """Whether other words of the same meaning come near; lexical vectors do not."""
        ...

    @property
    def dimensions(self) -> int:
        """Length of a vector as an array."""
        ...

    @property
    def max_tokens(self) -> int | None:
        """How many tokens of a text are read, from its beginning; None: all."""
        ...

    def encode(self, texts: Sequence[str]) -> Floats:
        """Return one vector for each text, shape (texts, dimensions).

        Each has unit length, or is zero where the text has nothing that the embedder knows.
        """
        ...


def unit_length(values: NDArray[np.floating]) -> Floats:
    """Return vectors scaled to length 1; zero ones, and ones that are not finite, are zero.

    >>> unit_length(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
    [[0.6000000238418579, 0.800000011920929], [0.0, 0.0]]
    """
    wide = np.asarray(values, np.float64)
    wide = np.where(np.isfinite(wide).all(axis=1, keepdims=True), wide, 0.0)
    largest = np.abs(wide).max(axis=1, keepdims=True, initial=0.0)
    wide = np.divide(wide, largest, out=np.zeros_like(wide), where=largest > 0)
    length = np.sqrt((wide**2).sum(axis=1, keepdims=True))
    unit = np.divide(wide, length, out=np.zeros_like(wide), where=length > 0)
    return np.asarray(unit, np.float32)
