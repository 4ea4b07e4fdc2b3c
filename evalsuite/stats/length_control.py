"""Win rates without what length alone explains: would it still win if it were as long?"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from evalsuite.stats.interval import Interval

_PRIOR_DEVIATION = 10.0
"""Of both coefficients: keeps them finite where one side wins every game."""
_STEPS, _CLOSE = 100, 1e-10


@dataclass(frozen=True, slots=True)
class LengthControlled:
    """A win rate at equal length."""

    rate: float
    """Expected score where both answers are equally long."""
    interval: Interval
    """Of that rate, by the sandwich variance on the logit scale."""
    length_effect: float
    """Coefficient of tanh(standardised difference in length), in logits: above 0 the judge prefers
    the longer answer."""


def length_controlled(
    scores: ArrayLike, lengths: ArrayLike, other_lengths: ArrayLike, *, confidence: float = 0.95
) -> LengthControlled:
    """Regress preferences on length and return the win rate at equal length.

    logit E[score] = a + b·tanh(d / sd(d)), with d the difference in length; the rate is that of
    d = 0. This is the length term of AlpacaEval 2 (Dubois et al., arXiv 2404.04475, equation 2)
    for one pair of models, without its term for the difficulty of instructions, fitted as a
    fractional logit (Papke and Wooldridge 1996), since ties count between 0 and 1.

    Args:
        scores: of one model against the other, 0 to 1, per pair.
        lengths: of its answers, in any unit.
        other_lengths: of the other's.
        confidence: of the interval.

    Raises:
        ValueError: fewer than two pairs, scores out of range, or lengths of another number.
    """
    y = np.asarray(scores, dtype=np.float64)
    d = np.asarray(lengths, dtype=np.float64) - np.asarray(other_lengths, dtype=np.float64)
    if y.ndim != 1 or y.shape != d.shape or y.size < 2 or not ((y >= 0) & (y <= 1)).all():
        raise ValueError("one score from 0 to 1 and two lengths for each of at least two pairs")
    spread = float(d.std())
    design = np.column_stack([np.ones_like(d), np.tanh(d / spread) if spread > 0 else 0 * d])
    fitted = _fit(design, y)
    expected = _logistic(design @ fitted)
    bread = np.linalg.inv(_curvature(design, expected))
    pieces = design * (y - expected)[:, None]
    variance = float((bread @ (pieces.T @ pieces) @ bread)[0, 0])
    half = float(stats.norm.ppf(0.5 + confidence / 2)) * math.sqrt(variance)
    low, rate, high = (float(_logistic(fitted[0] + step)) for step in (-half, 0.0, half))
    return LengthControlled(rate, Interval(low, high, confidence), float(fitted[1]))


def _fit(design: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the coefficients by Newton's method, halving steps that lead uphill."""
    found = np.zeros(design.shape[1])
    loss = _loss(design, y, found)
    for _ in range(_STEPS):
        expected = _logistic(design @ found)
        slope = design.T @ (y - expected) - found / _PRIOR_DEVIATION**2
        step = np.linalg.solve(_curvature(design, expected), slope)
        while (after := _loss(design, y, found + step)) > loss + 1e-12 and np.abs(step).max() > 0:
            step = step / 2
        found, loss = found + step, after
        if np.abs(step).max() < _CLOSE:
            break
    return found


def _loss(design: NDArray[np.float64], y: NDArray[np.float64], at: NDArray[np.float64]) -> float:
    logits = design @ at
    fit = np.logaddexp(0.0, logits) - y * logits
    return float(fit.sum() + (at**2).sum() / (2 * _PRIOR_DEVIATION**2))


def _curvature(design: NDArray[np.float64], expected: NDArray[np.float64]) -> NDArray[np.float64]:
    weighted = design * (expected * (1 - expected))[:, None]
    return np.asarray(design.T @ weighted + np.eye(design.shape[1]) / _PRIOR_DEVIATION**2)


def _logistic(logits: NDArray[np.float64] | float) -> NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(-np.asarray(logits))))
