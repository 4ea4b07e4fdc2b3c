"""What each way of asking reaches on all items, with its interval."""

from __future__ import annotations

from collections.abc import Sequence

from evalsuite.prompting.scores import Scores
from evalsuite.report.document import PromptBaseline
from evalsuite.stats.clustered import clustered_mean
from evalsuite.stats.interval import Interval
from evalsuite.stats.proportions import wilson_interval


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
    """Return a 95 % interval of a mean: Wilson for independent right-or-wrong, else clustered t.

    Where every answer is right, or every one wrong, clusters show no variance at all; then Wilson's
    interval counts each cluster once, which is what is left of independent evidence.
    """
    names = set(clusters)
    if set(scores) <= {0.0, 1.0} and len(names) == len(clusters):
        return wilson_interval(int(sum(scores)), len(scores))
    if set(scores) in ({0.0}, {1.0}):
        return wilson_interval(len(names) if scores[0] else 0, len(names))
    independent = len(names) == len(clusters)
    return clustered_mean(scores, None if independent else clusters).interval()
