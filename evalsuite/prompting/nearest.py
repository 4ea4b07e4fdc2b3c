"""Which examples are nearest to a question, by words weighted by rarity."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_BLOCK = 512


def nearest(questions: Sequence[str], among: Sequence[str], count: int) -> NDArray[np.int64]:
    """Return the places in `among` of the texts nearest to each question.

    The cosine of hashed TF-IDF vectors (`evalsuite.embedding.Lexical`), whose weights are learnt
    from `among` alone: no item of a test changes what another is shown.

    Args:
        questions: the texts to find neighbours of.
        among: the texts to find them in.
        count: how many, at most all there are.

    Returns:
        Shape (questions, count), the nearest first; of equally near ones the earlier first.
    """
    import polars as pl

    from evalsuite.embedding.lexical import Lexical
    from evalsuite.similarity.tokens import tokenise

    lexical = Lexical.learn(tokenise(pl.Series(list(among), dtype=pl.String)))
    there = lexical.encode(among)
    found = np.empty((len(questions), min(count, len(among))), np.int64)
    for begin in range(0, len(questions), _BLOCK):
        block = questions[begin : begin + _BLOCK]
        near = lexical.encode(block) @ there.T
        # Rounded, so that which of two equal texts comes first does not hang on the last bit.
        order = np.argsort(-np.round(near, 6), axis=1, kind="stable")
        found[begin : begin + len(block)] = order[:, : found.shape[1]]
    return found
