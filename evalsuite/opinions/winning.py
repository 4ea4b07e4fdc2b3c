"""One tuned model's comparisons, summarised. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from evalsuite.asking.voting import Games
from evalsuite.engine.questions import Sample
from evalsuite.engine.request import BASE
from evalsuite.opinions.asked import Answered, Opinion
from evalsuite.report.judgements import WinRateRecord
from evalsuite.stats.clustered import clustered_mean
from evalsuite.stats.interval import Interval
from evalsuite.stats.length_control import length_controlled
from evalsuite.stats.preference import Game, SwappedGames, swapped_games, win_rate


def win_rate_of(
    answered: Answered,
    model: str,
    games: Sequence[Games | None],
    opinions: Sequence[Opinion],
) -> WinRateRecord | None:
    """Return the win rate of a tuned model, or None with fewer than two pairs that have a verdict.

    Args:
        answered: the task.
        model: the tuned model's name.
        games: per item; None where both answers are the same text.
        opinions: per item.
    """
    known = [place for place, one in enumerate(opinions) if not math.isnan(one.value)]
    if len(known) < 2:
        return None
    scores = np.array([opinions[place].value for place in known])
    base, tuned = answered.samples[BASE], answered.samples[model]
    wins, losses = int((scores > 0.5).sum()), int((scores < 0.5).sum())
    found = _interval(answered, tuned, known, scores)
    swapped = _swapped([games[place] for place in known])
    ours, theirs = ([len(side[place].output) for place in known] for side in (tuned, base))
    controlled = length_controlled(scores, ours, theirs)
    return WinRateRecord(
        suite=answered.suite.spec.name,
        task=answered.task.spec.name,
        ability=answered.ability,
        tuned=model,
        n=len(known),
        rate=float(scores.mean()),
        low=max(0.0, found.low),
        high=min(1.0, found.high),
        wins=wins,
        ties=len(known) - wins - losses,
        losses=losses,
        sign_p=win_rate(wins, losses, len(known) - wins - losses).sign_p,
        alike=sum(games[place] is None for place in known),
        consistency=swapped.consistency if swapped else None,
        first_position_bias=swapped.first_position_bias if swapped else None,
        controlled_rate=controlled.rate,
        controlled_low=controlled.interval.low,
        controlled_high=controlled.interval.high,
        length_difference=float(np.mean(ours) - np.mean(theirs)),
    )


def _interval(
    answered: Answered, tuned: Sequence[Sample], known: Sequence[int], scores: np.ndarray
) -> Interval:
    """Return the t interval that the verdict's difference has too, by clusters where given.

    It is cut at 0 and 1: no model wins more than all pairs.
    """
    clustered = answered.task.spec.cluster is not None
    clusters = [tuned[place].cluster for place in known] if clustered else None
    found = clustered_mean(scores, clusters).interval()
    return Interval(max(0.0, found.low), min(1.0, found.high), found.confidence)


def _swapped(games: Sequence[Games | None]) -> SwappedGames | None:
    first: list[Game] = []
    second: list[Game] = []
    for one in games:
        if one is not None:
            first += one.first
            second += one.second
    return swapped_games(first, second) if first else None
