"""Intervals and bounds for the difference of two paired shares.

Tango's score interval is the default: it keeps its level with few flips, has width with none, and
at zero its statistic is McNemar's. Wald is here because it is what others print.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from scipy import optimize, special

from evalsuite.stats.interval import Interval
from evalsuite.stats.paired import PairedCounts


class Flips(Protocol):
    """What the score statistic is made of; `PairedCounts` has it."""

    @property
    def n(self) -> float:
        """Items."""

    @property
    def base_only(self) -> float:
        """Items lost."""

    @property
    def tuned_only(self) -> float:
        """Items gained."""


@dataclass(frozen=True, slots=True)
class _Flips:
    """Counts that need not be whole."""

    n: float
    base_only: float
    tuned_only: float


def _quantile(confidence: float) -> float:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, got {confidence}")
    return float(special.ndtri(0.5 + confidence / 2))


def wald_interval(counts: PairedCounts, confidence: float = 0.95) -> Interval:
    """Return difference ± z·SE. Too narrow with few flips; has no width without any."""
    half = _quantile(confidence) * counts.standard_error
    return Interval(counts.difference - half, counts.difference + half, confidence)


def bonett_price_interval(counts: PairedCounts, confidence: float = 0.95) -> Interval:
    """Return the adjusted Wald interval that adds one to each kind of flip (Bonett, Price 2012)."""
    lost, gained = ((flips + 1) / (counts.n + 2) for flips in (counts.base_only, counts.tuned_only))
    centre = gained - lost
    half = _quantile(confidence) * math.sqrt((lost + gained - centre**2) / (counts.n + 2))
    return Interval(max(-1.0, centre - half), min(1.0, centre + half), confidence)


def tango_z(counts: Flips, difference: float) -> float:
    """Return the score statistic for "the true difference is `difference`".

    Positive when the observed difference lies above. Falls steadily in `difference`; at 0 it is
    McNemar's (gained − lost) / √(gained + lost).

    Source: Tango, Statistics in Medicine 17 (1998) 891–908.
    """
    n, lost, gained = counts.n, counts.base_only, counts.tuned_only
    # Share of losses with the highest likelihood under the hypothesis: root of a quadratic.
    a = 2 * n
    b = -gained - lost + (2 * n - gained + lost) * difference
    c = -lost * difference * (1 - difference)
    share_lost = (math.sqrt(max(0.0, b * b - 4 * a * c)) - b) / (2 * a)
    variance = n * (2 * share_lost + difference * (1 - difference))
    distance = gained - lost - n * difference
    if variance <= 0:
        return 0.0 if distance == 0 else math.copysign(math.inf, distance)
    return distance / math.sqrt(variance)


def tango_bound(
    counts: Flips,
    alpha: float,
    *,
    side: str,
    design_effect: float = 1.0,
    degrees_of_freedom: int | None = None,
) -> float:
    """Return the one-sided bound at level `alpha`.

    With clusters the counts are divided by the design effect and Student's quantile takes the
    place of the normal one (after Rao and Scott, Biometrics 48 (1992)). At 1,000 items in clusters
    of four with a true loss of the margin and 6 % flips, the clustered t bound alone ruled the loss
    out in 6.8 % of 8,000 simulations at a level of 5 %, this one in 4.9 %.

    Args:
        counts: the paired table.
        alpha: probability with which a bound made this way misses the truth.
        side: "lower" or "upper".
        design_effect: variance relative to independent items, at least 1.
        degrees_of_freedom: clusters − 1; None for independent items.
    """
    if side not in ("lower", "upper"):
        raise ValueError(f"side must be lower or upper, got {side!r}")
    if side == "upper":
        mirrored = _Flips(counts.n, counts.tuned_only, counts.base_only)
        return -tango_bound(
            mirrored,
            alpha,
            side="lower",
            design_effect=design_effect,
            degrees_of_freedom=degrees_of_freedom,
        )
    if degrees_of_freedom is None:
        z = -float(special.ndtri(alpha))
    else:
        z = -float(special.stdtrit(degrees_of_freedom, alpha))
    n, lost, gained = (
        value / design_effect for value in (counts.n, counts.base_only, counts.tuned_only)
    )
    counts = _Flips(n, lost, gained)
    # At exactly ±1 the statistic is 0/0; stay a hair inside.
    lowest, highest = -1 + 1e-12, min((gained - lost) / n, 1 - 1e-12)
    if highest <= lowest or tango_z(counts, lowest) <= z:
        return -1.0
    root = optimize.brentq(lambda value: tango_z(counts, value) - z, lowest, highest, xtol=1e-12)
    return float(root)


def tango_interval(counts: PairedCounts, confidence: float = 0.95) -> Interval:
    """Return Tango's score interval, the differences that a two-sided test would not reject.

    >>> interval = tango_interval(PairedCounts(259, 21, 9, 111))
    >>> round(interval.low, 6), round(interval.high, 6)
    (-0.059258, -0.003366)
    """
    tail = (1 - confidence) / 2
    return Interval(
        tango_bound(counts, tail, side="lower"),
        tango_bound(counts, tail, side="upper"),
        confidence,
    )
