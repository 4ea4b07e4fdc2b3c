"""Which rows are alike in one field alone, and which of them is the best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from curate.steps.base import Rows, StepContext
from evalsuite.similarity.index import (
    SHORT_ANSWER,
    Index,
    build_index,
    normalised_classes,
)
from evalsuite.similarity.tokens import TokenTable

Field = Literal["whole", "prompt", "answer"]
Keep = Literal["longest", "quality", "first"]


@dataclass(frozen=True)
class Alike:
    """What is compared, and which rows can be."""

    index: Index
    loosest: float
    """The least similarity in it."""
    comparable: NDArray[np.bool_]
    """Which of all rows have something to compare, shape (all rows,)."""


def alike_in(field: Field, threshold: float, context: StepContext) -> Alike:
    """Return which rows are alike in a field; a row without it is like no other.

    Answers of up to 12 tokens are labels and not compared by themselves.

    Args:
        field: `whole` compares prompt and answer; plain texts are always whole.
        threshold: least similarity that is asked for.
        context: knows all rows.
    """
    if field == "whole" or context.type == "text":
        everything = np.ones(len(context.ids), np.bool_)
        return Alike(context.index, context.loosest, everything)
    said = context.prompts if field == "prompt" else context.answers
    name = f"rows with {field}s alike (from {threshold!r})"
    index = context.recall(name, Index, lambda: _compared(said, threshold, context))
    return Alike(index, threshold, said.lengths > (SHORT_ANSWER if field == "answer" else 0))


def _compared(said: TokenTable, threshold: float, context: StepContext) -> Index:
    nothing = TokenTable(np.empty(0, np.uint64), np.zeros(said.lengths.size + 1, np.int64))
    classes = normalised_classes(said, nothing, context.apart)
    return build_index(
        said, nothing, classes, context.apart, loosest=threshold, tick=context.advance
    )


def by_preference(rows: Rows, keep: Keep, context: StepContext) -> Rows:
    """Return the place of each of `rows` in the order of preference; 0 is kept before all others.

    Args:
        rows: positions, ascending.
        keep: `longest`: the longer answer, then the earlier row; `quality`: the highest number of
            the column `quality`, then these; `first`: the earlier row.
        context: knows all rows.

    Raises:
        DataError: no row has a quality.
    """
    if keep == "first":
        return np.arange(rows.size)
    keys: list[NDArray[np.number]] = [rows, -context.answers.lengths[rows]]
    if keep == "quality":
        from curate.steps.balancing.rebalance import quality_of

        keys.append(-quality_of(rows, "quality", context))
    order = np.lexsort(keys)
    rank = np.empty(rows.size, np.int64)
    rank[order] = np.arange(rows.size)
    return rank
