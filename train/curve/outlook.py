"""What twice the rows would bring: a power law through a few points, with its uncertainty. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

_DRAWS = 2000
_POINTS = 3


@dataclass(frozen=True)
class Outlook:
    """The gain to expect of twice the rows."""

    verdict: Literal["gain", "no gain", "cannot say"]
    sentence: str
    gain: float | None = None
    """Of the fitted law, in score points."""
    low: float | None = None
    high: float | None = None
    """Ends of the 95 % interval over items."""
    exponent: float | None = None
    """b of error = a · rows^(−b)."""


def outlook(
    rows: Sequence[int],
    scores: NDArray[np.float64],
    clusters: Sequence[str] | None = None,
    *,
    min_gain: float = 0.05,
    seed: int = 0,
) -> Outlook:
    """Fit error = a · rows^(−b) by least squares of the logarithms, and draw items anew.

    Every draw takes whole clusters of items, the same ones at every point, because all points
    answered the same items. Power laws of error in data: Hestness et al. 2017, arXiv 1712.00409.

    Args:
        rows: trained on at each point, rising.
        scores: of each item at each point, from 0 to 1; shape (points, items).
        clusters: one label per item; without, each item is one by itself.
        min_gain: smallest gain that counts.
        seed: of the draws.
    """
    if len(set(rows)) < _POINTS:
        return Outlook("cannot say", f"a law needs {_POINTS} points, and there are {len(rows)}")
    if scores.min() < 0 or scores.max() > 1:
        return Outlook("cannot say", "its scores are not between 0 and 1: no law is fitted")
    items = scores.shape[1]
    if 1 - scores[-1].mean() < 1.5 / items:
        return Outlook("no gain", f"nothing is left to gain: {scores[-1].mean():.1%} at all rows")
    x = np.log(np.asarray(rows, dtype=np.float64))
    exponent, gain = _gain(x, scores.mean(axis=1)[None], items)
    drawn = _draws(scores, clusters, seed)
    _, gains = _gain(x, drawn, items)
    low, high = (float(one) for one in np.quantile(gains, [0.025, 0.975]))
    found = (float(gain[0]), low, high, float(exponent[0]))
    told = f"{100 * found[0]:+.1f} points (95 % interval {100 * low:+.1f} to {100 * high:+.1f})"
    missed = _missed(x, scores.mean(axis=1), drawn, items)
    if missed is not None:
        why = f"no power law passes within the interval of the point at {rows[missed]:,} rows"
        return Outlook("cannot say", f"{why}; forced through, it says {told}", *found)
    if low > 0:
        return Outlook("gain", f"expect {told} from {2 * rows[-1]:,} rows", *found)
    if high < min_gain:
        small = f"expect less than {100 * min_gain:.0f} points from {2 * rows[-1]:,} rows: {told}"
        return Outlook("no gain", small, *found)
    wide = f"{len(rows)} points cannot say what {2 * rows[-1]:,} rows would bring: {told}"
    return Outlook("cannot say", wide, *found)


def _errors(means: NDArray[np.float64], items: int) -> NDArray[np.float64]:
    """Return 1 − score, at least half an item: a perfect draw has no logarithm."""
    return np.asarray(np.maximum(1 - means, 0.5 / items))


def _fitted(
    x: NDArray[np.float64], means: NDArray[np.float64], items: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return b and log a of each draw; `means` has shape (draws, points)."""
    y, centred = np.log(_errors(means, items)), x - x.mean()
    b = -(y * centred).sum(axis=1) / (centred**2).sum()
    return b, y.mean(axis=1) + b * x.mean()


def _gain(
    x: NDArray[np.float64], means: NDArray[np.float64], items: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return b, and the fitted error at all rows less that at twice as many."""
    b, log_a = _fitted(x, means, items)
    now = np.exp(log_a - b * x[-1])
    return b, now * (1 - 2.0**-b)


def _draws(
    scores: NDArray[np.float64], clusters: Sequence[str] | None, seed: int
) -> NDArray[np.float64]:
    """Return mean scores of resampled clusters, shape (draws, points)."""
    labels = np.arange(scores.shape[1]) if clusters is None else np.asarray(clusters)
    _, place = np.unique(labels, return_inverse=True)
    count = int(place.max()) + 1
    sums = np.stack([np.bincount(place, one, count) for one in scores])
    sizes = np.bincount(place, minlength=count)
    random = np.random.default_rng(seed)
    weights = random.multinomial(count, np.full(count, 1 / count), size=_DRAWS)
    return np.asarray((weights @ sums.T) / (weights @ sizes)[:, None])


def _missed(
    x: NDArray[np.float64], means: NDArray[np.float64], drawn: NDArray[np.float64], items: int
) -> int | None:
    """Return the first point whose 95 % interval does not hold the fitted score, or None."""
    b, log_a = _fitted(x, means[None], items)
    fitted = 1 - np.exp(log_a[0] - b[0] * x)
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    slack = 0.5 / items
    outside = np.flatnonzero((fitted < low - slack) | (fitted > high + slack))
    return int(outside[0]) if len(outside) else None
