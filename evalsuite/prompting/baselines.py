"""What each way of asking reaches on all items, with its interval."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from evalsuite.prompting.scores import Scores
from evalsuite.report.document import PromptBaseline
from evalsuite.stats.clustered import clustered_mean
from evalsuite.stats.interval import Interval
from evalsuite.stats.proportions import wilson_interval, wilson_of_share


def summarise(ability: str, way: Scores) -> PromptBaseline:
    """Return the mean score of a way of asking with its interval and what a prompt costs."""
    interval = mean_interval(way.values.tolist(), way.clusters)
    return PromptBaseline(
        name=way.name,
        model="base",
        ability=ability,
        score=float(way.values.mean()),
        low=interval.low,
        high=interval.high,
        n=len(way.ids),
        prompt_tokens=float(way.prompt_tokens.mean()),
    )


def mean_interval(scores: Sequence[float], clusters: Sequence[str]) -> Interval:
    """Return a 95 % interval of a mean of scores between 0 and 1.

    Right-or-wrong scores get Wilson's interval; where items share clusters, of as many items as
    their design effect leaves independent (n / deff) and with the quantile of t with G − 1 degrees
    of freedom, as Korn and Graubard (1998) do for Clopper and Pearson's. Other scores get a t
    interval, cut at 0 and 1.

    A design effect below one is taken for luck, as in `compare`. Where all scores are equal there
    is no variance to see; then each cluster counts once.
    """
    values = np.asarray(scores, np.float64)
    groups = len(set(clusters))
    is_binary = bool(np.isin(values, (0.0, 1.0)).all())
    if is_binary and groups == values.size:
        return wilson_interval(int(values.sum()), values.size)
    if groups == 1:
        return Interval(0.0, 1.0, 0.95)  # whatever one passage tells, another may not
    quantile = float(stats.t.isf(0.025, groups - 1))
    error, independent = _error(values, clusters)
    if is_binary:
        return wilson_of_share(float(values.mean()), independent, quantile)
    # As if one more item were 0 and one 1 (Agresti and Coull 1998): few equal scores prove little.
    half = quantile * max(error, math.sqrt(2) / (independent + 2))
    mean = float(values.mean())
    return Interval(max(0.0, mean - half), min(1.0, mean + half), 0.95)


def _error(values: NDArray[np.float64], clusters: Sequence[str]) -> tuple[float, float]:
    """Return the standard error of the mean, and how many independent items would have it."""
    alone = clustered_mean(values).standard_error
    if not alone:
        return 0.0, float(len(set(clusters)))
    error = max(alone, clustered_mean(values, clusters).standard_error)
    return error, values.size * (alone / error) ** 2
