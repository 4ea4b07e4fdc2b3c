"""Has nothing been lost? Tests against a margin stated beforehand.

"No significant regression" says nothing when the sample is small. Here the burden is turned round:
the hypothesis to reject is "the loss is at least the margin".
"""

from __future__ import annotations

from dataclasses import dataclass

from scipy import stats

from evalsuite.stats.paired import PairedCounts
from evalsuite.stats.paired_interval import tango_z


@dataclass(frozen=True, slots=True)
class NonInferiority:
    """Evidence against "the tuned model lost at least the margin"."""

    z: float
    """(difference + margin) / standard error."""
    p: float
    """One-sided p; small means not inferior."""
    p_equivalence: float
    """Two one-sided tests (TOST): small means unchanged within ± margin."""
    lower_bound: float
    """One-sided lower bound of the difference; not inferior when above −margin."""


def from_standard_error(
    difference: float, standard_error: float, margin: float, alpha: float = 0.05
) -> NonInferiority:
    """Test by the normal approximation, for any difference with a standard error above zero.

    Args:
        difference: tuned minus base.
        standard_error: of the difference, paired.
        margin: largest loss that is acceptable, in the same unit, not negative.
        alpha: level of the lower bound.

    Raises:
        ValueError: the margin is negative or the standard error not positive.
    """
    if margin < 0:
        raise ValueError(f"a margin is a size and cannot be negative, got {margin}")
    if standard_error <= 0:
        raise ValueError("a standard error of zero carries no test; use the score test")
    z = (difference + margin) / standard_error
    p = float(stats.norm.sf(z))
    p_upper = float(stats.norm.sf((margin - difference) / standard_error))
    return NonInferiority(
        z=z,
        p=p,
        p_equivalence=max(p, p_upper),
        lower_bound=difference - float(stats.norm.isf(alpha)) * standard_error,
    )


def tango_p(counts: PairedCounts, margin: float) -> float:
    """Return the one-sided p of Tango's score test for "the loss is at least `margin`".

    Below alpha exactly when `tango_bound(counts, alpha, side="lower")` exceeds −margin.
    """
    return float(stats.norm.sf(tango_z(counts, -margin)))
