"""How far the tuned distribution has moved from the base, without any label. Unit: nats."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial import distance
from scipy.special import rel_entr


@dataclass(frozen=True, slots=True)
class Drift:
    """Distances between two next-token distributions."""

    kl: float
    """KL(tuned‖base)."""
    reverse_kl: float
    """KL(base‖tuned)."""
    js: float
    """Jensen–Shannon divergence, at most ln 2."""
    total_variation: float
    """Half the summed absolute difference, between 0 and 1."""
    same_top: bool
    """Whether the most likely token is the same."""


def drift(tuned: ArrayLike, base: ArrayLike) -> Drift:
    """Compare two distributions over the same vocabulary.

    Args:
        tuned: shape (V,), probabilities that sum to 1.
        base: shape (V,), the same.

    Raises:
        ValueError: shapes differ or a distribution does not sum to 1.
    """
    p, q = np.asarray(tuned, dtype=float), np.asarray(base, dtype=float)
    if p.shape != q.shape or p.ndim != 1 or p.size == 0:
        raise ValueError("two distributions over one vocabulary are needed")
    if not all(math.isclose(float(d.sum()), 1, abs_tol=1e-4) and (d >= 0).all() for d in (p, q)):
        raise ValueError("probabilities must be non-negative and sum to 1")
    return Drift(
        kl=float(rel_entr(p, q).sum()),
        reverse_kl=float(rel_entr(q, p).sum()),
        js=float(distance.jensenshannon(p, q)) ** 2,
        total_variation=float(np.abs(p - q).sum() / 2),
        same_top=bool(p.argmax() == q.argmax()),
    )


@dataclass(frozen=True, slots=True)
class KlEstimates:
    """Monte-Carlo estimates of KL(tuned‖base) from tokens the tuned model sampled."""

    k1: float
    """Mean of −r: unbiased, wild, can be negative."""
    k2: float
    """Mean of r²/2: biased, calm."""
    k3: float
    """Mean of exp(r) − 1 − r: unbiased and never negative. The one to report."""


def kl_estimates(log_ratios: ArrayLike) -> KlEstimates:
    """Estimate from r = log base(x) − log tuned(x) for sampled tokens x (Schulman 2020)."""
    r = np.asarray(log_ratios, dtype=float)
    if r.size == 0:
        raise ValueError("at least one sampled token is needed")
    return KlEstimates(
        k1=float(-r.mean()), k2=float((r**2 / 2).mean()), k3=float((np.expm1(r) - r).mean())
    )
