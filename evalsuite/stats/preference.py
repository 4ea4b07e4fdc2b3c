"""Which answer is preferred: win rates, swapped positions, agreement of judges."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from evalsuite.stats.interval import Interval
from evalsuite.stats.proportions import wilson_interval

Game = Literal["W", "T", "L"]
_POINTS: dict[str, float] = {"W": 1.0, "T": 0.5, "L": 0.0}


@dataclass(frozen=True, slots=True)
class WinRate:
    """Wins of the tuned model, ties counting half."""

    rate: float
    """(W + T/2) / n."""
    standard_error: float
    """Of the mean of per-game points, n − 1 in the denominator."""
    interval: Interval
    """rate ± z·SE."""
    decisive: Interval | None
    """Wilson interval of wins among decided games; None when all are ties."""
    sign_p: float
    """Two-sided sign test over decided games. Gate on this one."""


def win_rate(wins: int, losses: int, ties: int, confidence: float = 0.95) -> WinRate:
    """Summarise independent games.

    Raises:
        ValueError: fewer than two games.
    """
    n = wins + losses + ties
    if min(wins, losses, ties) < 0 or n < 2:
        raise ValueError("at least two games are needed, and no count may be negative")
    rate = (wins + ties / 2) / n
    squares = wins * (1 - rate) ** 2 + losses * rate**2 + ties * (0.5 - rate) ** 2
    error = math.sqrt(squares / (n - 1) / n)
    half = float(stats.norm.ppf(0.5 + confidence / 2)) * error
    decided = wins + losses
    return WinRate(
        rate=rate,
        standard_error=error,
        interval=Interval(rate - half, rate + half, confidence),
        decisive=wilson_interval(wins, decided, confidence) if decided else None,
        sign_p=float(stats.binomtest(wins, decided, 0.5).pvalue) if decided else 1.0,
    )


@dataclass(frozen=True, slots=True)
class SwappedGames:
    """Each pair judged twice, the tuned answer first and then second."""

    scores: tuple[float, ...]
    """Mean points of the two games, per pair."""
    mean: float
    """Mean of the scores."""
    consistency: float
    """Share of pairs on which both games agree."""
    first_position_bias: float
    """Points when first minus points when second; above 0 the judge likes what comes first."""


def swapped_games(first: Sequence[Game], second: Sequence[Game]) -> SwappedGames:
    """Summarise games from the tuned model's view, in the same order of pairs."""
    if len(first) != len(second) or not first:
        raise ValueError("every pair needs both games")
    a, b = (np.array([_POINTS[game] for game in games]) for games in (first, second))
    scores = (a + b) / 2
    return SwappedGames(
        scores=tuple(float(score) for score in scores),
        mean=float(scores.mean()),
        consistency=float((a == b).mean()),
        first_position_bias=float(a.mean() - b.mean()),
    )


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement of two judges over the same items."""

    observed: float
    """Share of items on which they agree."""
    kappa: float
    """Cohen's kappa: agreement above chance; NaN when chance already explains all."""


def cohen_kappa(table: ArrayLike) -> Agreement:
    """Return the agreement from a square table of counts: rows one judge, columns the other."""
    counts = np.asarray(table, dtype=float)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or counts.sum() <= 0:
        raise ValueError("a square table with at least one item is needed")
    total = counts.sum()
    observed = float(np.trace(counts) / total)
    expected = float((counts.sum(0) * counts.sum(1)).sum() / total**2)
    kappa = (observed - expected) / (1 - expected) if expected < 1 else math.nan
    return Agreement(observed=observed, kappa=kappa)
