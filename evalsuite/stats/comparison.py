"""Everything the gate wants to know about one ability of two models, from their paired scores."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evalsuite.stats.clustered import ClusteredMean, clustered_mean
from evalsuite.stats.continuous import sign_flip_p
from evalsuite.stats.interval import Interval
from evalsuite.stats.paired import PairedCounts, mcnemar
from evalsuite.stats.paired_interval import tango_bound
from evalsuite.stats.power import minimum_detectable_effect


@dataclass(frozen=True, slots=True)
class Comparison:
    """A paired comparison; differences are tuned minus base, higher scores are better."""

    n: int
    """Items."""
    clusters: int | None
    """Clusters, where some hold more than one item; else None."""
    base: float
    """Mean score of the base."""
    tuned: float
    """Mean score of the tuned model."""
    interval: Interval
    """95 % interval of the difference."""
    lower_bound: float
    """One-sided lower bound of the difference at level alpha."""
    upper_bound: float
    """One-sided upper bound of the difference at its level."""
    p_loss: float
    """One-sided p for "the tuned model lost something"."""
    p_gain: float
    """One-sided p for "the tuned model gained something"."""
    standard_error: float
    """Of the difference; with few flips not below what one flip each way would give."""
    base_standard_error: float
    """Of the base's own mean."""
    minimum_detectable_effect: float
    """Smallest true change that a two-sided 5 % test would show four times in five."""
    negative_flips: int
    """Items on which the tuned model scores lower."""
    positive_flips: int
    """Items on which it scores higher."""
    bounded: bool
    """Whether all scores lie between 0 and 1, so that differences are points."""
    method: str
    """How interval, bounds and p were made, in words."""

    @property
    def difference(self) -> float:
        """Tuned minus base."""
        return self.tuned - self.base


def compare(
    base: ArrayLike,
    tuned: ArrayLike,
    clusters: ArrayLike | None = None,
    *,
    alpha: float = 0.05,
    upper_alpha: float | None = None,
    seed: int = 0,
    bounded: bool | None = None,
) -> Comparison:
    """Compare two models on the same items.

    Right-or-wrong scores get Tango's score interval and McNemar's exact test; other scores a t
    interval and a sign-flip permutation test. Where items share clusters, the clustered t interval
    and block sign flips are used, and for right-or-wrong scores whichever is wider of that and
    Tango's for the effective number of items: a design effect below one is taken for luck.

    Args:
        base: score per item, higher is better.
        tuned: the same items in the same order.
        clusters: label per item; without, items are independent.
        alpha: level of the one-sided bounds.
        upper_alpha: level of the upper bound, if another.
        seed: of the sampled sign flips.
        bounded: whether scores lie between 0 and 1 by what they are. None: if these do; rewards
            that happen to would be taken for shares.

    Raises:
        ValueError: lengths differ, nothing to compare, or a score is not finite.
    """
    a, b = np.asarray(base, dtype=np.float64), np.asarray(tuned, dtype=np.float64)
    if a.shape != b.shape or a.ndim != 1 or a.size == 0:
        raise ValueError(f"paired scores must be of one length, not none: {a.shape}, {b.shape}")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError("a score is not a finite number")
    labels = None if clusters is None else np.asarray(clusters)
    if labels is not None and np.unique(labels).size == labels.size:
        labels = None
    spread = clustered_mean(b - a, labels)
    inside = bool(min(a.min(), b.min()) >= 0 and max(a.max(), b.max()) <= 1)
    bounded = inside if bounded is None else bounded
    binary = bounded and bool(np.isin(a, (0.0, 1.0)).all() and np.isin(b, (0.0, 1.0)).all())
    counts = _counts(a, b, binary=binary, bounded=bounded)
    levels = (alpha, alpha if upper_alpha is None else upper_alpha)
    limits = _limits(spread, counts, levels, t_too=labels is not None or not binary)
    limits = _possible(limits) if bounded else limits
    p_loss, p_gain = _p_values(b - a, labels, counts, seed)
    # One flip each way (Agresti and Min 2005): without any flip the plain error would be zero.
    floor = math.sqrt(2 / (a.size + 2) ** 2) if bounded else 0.0
    error = max(spread.standard_error, floor) if math.isfinite(spread.standard_error) else math.inf
    return Comparison(
        n=a.size,
        clusters=None if labels is None else spread.clusters,
        base=float(a.mean()),
        tuned=float(b.mean()),
        interval=limits[0],
        lower_bound=limits[1],
        upper_bound=limits[2],
        p_loss=p_loss,
        p_gain=p_gain,
        standard_error=error,
        base_standard_error=clustered_mean(a, labels).standard_error,
        minimum_detectable_effect=minimum_detectable_effect(error**2, 1),
        negative_flips=int((b < a).sum()),
        positive_flips=int((b > a).sum()),
        bounded=bounded,
        method=_method(binary, labels is not None),
    )


def _counts(
    a: NDArray[np.float64], b: NDArray[np.float64], *, binary: bool, bounded: bool
) -> PairedCounts | None:
    """Return the flips, also for bounded scores of which none changed: t would have no width."""
    if binary:
        return PairedCounts.from_scores(a, b)
    if bounded and not (a != b).any():
        return PairedCounts(a.size, 0, 0, 0)
    return None


def _limits(
    spread: ClusteredMean,
    counts: PairedCounts | None,
    levels: tuple[float, float],
    *,
    t_too: bool,
) -> tuple[Interval, float, float]:
    lows, highs, intervals = [], [], []
    if counts is not None:
        effect, freedom = _design(spread, counts) if t_too else (1.0, None)
        bound = partial(tango_bound, counts, design_effect=effect, degrees_of_freedom=freedom)
        lows.append(bound(levels[0], side="lower"))
        highs.append(bound(levels[1], side="upper"))
        intervals.append(Interval(bound(0.025, side="lower"), bound(0.025, side="upper")))
    if t_too:
        lows.append(spread.bound(levels[0], side="lower"))
        highs.append(spread.bound(levels[1], side="upper"))
        intervals.append(spread.interval())
    widest = Interval(min(i.low for i in intervals), max(i.high for i in intervals))
    return widest, min(lows), max(highs)


def _possible(limits: tuple[Interval, float, float]) -> tuple[Interval, float, float]:
    """Return limits of scores between 0 and 1: t reaches beyond ±1, a difference cannot.

    Infinite limits stay: nothing bounds them.
    """
    interval, lower, upper = limits
    low, high, lower, upper = (
        max(-1.0, min(1.0, one)) if math.isfinite(one) else one
        for one in (interval.low, interval.high, lower, upper)
    )
    return Interval(low, high, interval.confidence), lower, upper


def _design(spread: ClusteredMean, counts: PairedCounts) -> tuple[float, int | None]:
    """Return the design effect, at least 1, and the degrees of freedom it is known with."""
    plain, freedom = counts.standard_error, spread.degrees_of_freedom
    if spread.clusters == spread.n or freedom < 1 or not plain:
        return 1.0, None
    return max(1.0, (spread.standard_error / plain) ** 2), freedom


def _p_values(
    d: NDArray[np.float64],
    labels: NDArray[np.generic] | None,
    counts: PairedCounts | None,
    seed: int,
) -> tuple[float, float]:
    exact = (0.0, 0.0)
    if counts is not None:
        test = mcnemar(counts)
        exact = (test.regression, test.gain)
        if labels is None:
            return exact
    loss = sign_flip_p(d, alternative="less", clusters=labels, seed=seed)
    gain = sign_flip_p(d, alternative="greater", clusters=labels, seed=seed)
    return max(exact[0], loss), max(exact[1], gain)


def _method(binary: bool, clustered: bool) -> str:
    if clustered:
        wider = ", or Tango's for the effective number of items where wider" if binary else ""
        return f"clustered t interval{wider}; sign flips by cluster"
    if binary:
        return "Tango's score interval; exact McNemar test"
    return "t interval of paired differences; sign-flip permutation test"
