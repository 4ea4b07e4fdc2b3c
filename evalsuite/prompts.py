"""Do you need to tune? What the base reaches on the target with a prompt alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evalsuite.engine.questions import Sample
from evalsuite.report.document import PromptBaseline
from evalsuite.stats.clustered import clustered_mean
from evalsuite.stats.interval import Interval
from evalsuite.stats.proportions import wilson_interval

GOOD_ENOUGH = 0.9
"""A prompt that reaches this, interval and all, leaves tuning little to add."""


@dataclass(frozen=True)
class PromptTrial:
    """The base's answers under one way of asking."""

    name: str
    """`zero-shot` or `3 examples`."""
    ability: str
    samples: tuple[Sample, ...]


@dataclass(frozen=True)
class TunedScore:
    """What a tuned model reaches on a target ability."""

    model: str
    ability: str
    score: float
    gained: bool
    """The gate is sure of the gain."""


def summarise(trial: PromptTrial) -> PromptBaseline:
    """Return the mean score of a trial with its interval and what a prompt costs."""
    scores = [sample.score for sample in trial.samples]
    interval = mean_interval(scores, [sample.cluster for sample in trial.samples])
    return PromptBaseline(
        name=trial.name,
        model="base",
        ability=trial.ability,
        score=float(np.mean(scores)),
        low=interval.low,
        high=interval.high,
        n=len(scores),
        prompt_tokens=float(np.mean([sample.prompt_tokens for sample in trial.samples])),
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


def recommend(baselines: Sequence[PromptBaseline], tuned: Sequence[TunedScore] = ()) -> str:
    """Say in one sentence whether tuning is needed.

    Args:
        baselines: all ways of asking, for all target abilities.
        tuned: tuned models on the same abilities.
    """
    return " ".join(
        _recommend_one(
            ability,
            [baseline for baseline in baselines if baseline.ability == ability],
            [one for one in tuned if one.ability == ability],
        )
        for ability in dict.fromkeys(baseline.ability for baseline in baselines)
    )


def _recommend_one(
    ability: str, baselines: Sequence[PromptBaseline], tuned: Sequence[TunedScore]
) -> str:
    best = max(baselines, key=lambda baseline: baseline.score)
    seen = "; ".join(map(_said, baselines))
    if best.low is not None and best.low >= GOOD_ENOUGH:
        return f"{ability}: tuning is hardly needed, a prompt is enough ({seen})."
    if tuned:
        top = max(tuned, key=lambda one: one.score)
        reaches = f"{top.model} reaches {top.score:.1%} ({seen})."
        if best.high is None or top.score <= best.high:
            return f"{ability}: tuning does not beat the best prompt, {reaches}"
        if not top.gained:
            return f"{ability}: tuning seems to pay, but the gain is not certain yet; {reaches}"
        return f"{ability}: tuning pays, {reaches}"
    plain = baselines[0]
    if best is not plain and best.low is not None and best.low > plain.score:
        return (
            f"{ability}: examples in the prompt help but {1 - best.score:.0%} stays wrong; "
            f"tune, and measure against this prompt ({seen})."
        )
    return f"{ability}: prompts alone do not reach it, tune ({seen})."


def _said(baseline: PromptBaseline) -> str:
    interval = ""
    if baseline.low is not None and baseline.high is not None:
        interval = f" [{baseline.low:.1%}, {baseline.high:.1%}]"
    cost = f", {baseline.prompt_tokens:.0f} prompt tokens" if baseline.prompt_tokens else ""
    return f"{baseline.name} {baseline.score:.1%}{interval}{cost}"
