"""Whether rows suit their task: what they lack, where they disagree with each other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from curate.api.frames import prepared
from curate.conventions.configs import Consistency
from curate.one_step import validated

if TYPE_CHECKING:
    from curate.conventions.looking import Consistent
    from curate.covering.result import Coverage


def coverage(
    frame: pl.LazyFrame | pl.DataFrame,
    against: str | Path | Sequence[str],
    *,
    field: str | None = None,
    vectors: str = "lexical",
    regions: int | None = None,
    sample: int = 5_000,
    seed: int = 0,
) -> Coverage:
    """Find what training rows lack, against a sample of real inputs.

    Args:
        frame: training rows of one type.
        against: real inputs: a file of rows with or without answers, a dataset, a text file with
            one input on each line, or the texts themselves.
        field: the column with the input; left out: the usual ones.
        vectors: a folder with an embedder, or `lexical`: words weighted by their rarity.
        regions: how many; left out: one for each 40 distinct inputs, 2 to 120.
        sample: most real inputs to compare.
        seed: of the sample and of the regions.

    Raises:
        DataError: no training row, or no real input.
    """
    from curate.covering.inputs import given_inputs, read_inputs
    from curate.covering.measure import measure_coverage

    if isinstance(against, str | Path):
        inputs = read_inputs(str(against), field=field, sample=sample, seed=seed)
    else:
        inputs = given_inputs(against, sample=sample, seed=seed)
    context, _ = prepared(frame)
    return measure_coverage(context, inputs, vectors=vectors, regions=regions, seed=seed)


def consistency(
    frame: pl.LazyFrame | pl.DataFrame, *, share: float = 0.95, language: bool = True
) -> Consistent:
    """Find answers whose form, keys, labels or style depart from what nearly all others do.

    Args:
        frame: rows of one type; `source` says where each is from, if it is there.
        share: least share of rows that makes a convention.
        language: tell the language of long answers, which takes most of the time.

    Returns:
        The findings, and the rows that depart. Nothing is dropped: the step `consistency` does.
    """
    from curate.conventions.looking import look

    context, rows = prepared(frame)
    return look(rows, context, validated(Consistency, {"share": share, "language": language}))
