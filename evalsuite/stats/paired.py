"""Two models, the same items, right or wrong: counts, flips and McNemar's tests.

Throughout, a difference is tuned minus base: negative means the tuned model lost something.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special


@dataclass(frozen=True, slots=True)
class PairedCounts:
    """The two-by-two table of paired right and wrong answers."""

    both: int
    """Items both models have right."""
    base_only: int
    """Items only the base has right: regressions, or negative flips."""
    tuned_only: int
    """Items only the tuned model has right: gains, or positive flips."""
    neither: int
    """Items both models have wrong."""

    def __post_init__(self) -> None:
        if min(self.both, self.base_only, self.tuned_only, self.neither) < 0:
            raise ValueError("counts cannot be negative")
        if self.n == 0:
            raise ValueError("no items to compare")

    @classmethod
    def from_scores(cls, base: ArrayLike, tuned: ArrayLike) -> PairedCounts:
        """Count from two arrays of zeros and ones, one entry per item, in the same order.

        Raises:
            ValueError: lengths differ, there is no item, or a score is neither 0 nor 1.
        """
        a, b = np.asarray(base, dtype=float), np.asarray(tuned, dtype=float)
        if a.shape != b.shape or a.ndim != 1:
            raise ValueError(f"paired scores must be of one length; got {a.shape} and {b.shape}")
        if not (np.isin(a, (0.0, 1.0)).all() and np.isin(b, (0.0, 1.0)).all()):
            raise ValueError("scores must be 0 or 1 to be counted")
        return cls(
            both=int((a * b).sum()),
            base_only=int((a * (1 - b)).sum()),
            tuned_only=int(((1 - a) * b).sum()),
            neither=int(((1 - a) * (1 - b)).sum()),
        )

    @property
    def n(self) -> int:
        """Number of items."""
        return self.both + self.base_only + self.tuned_only + self.neither

    @property
    def discordant(self) -> int:
        """Number of items that flipped either way."""
        return self.base_only + self.tuned_only

    @property
    def base(self) -> float:
        """Share of items the base has right."""
        return (self.both + self.base_only) / self.n

    @property
    def tuned(self) -> float:
        """Share of items the tuned model has right."""
        return (self.both + self.tuned_only) / self.n

    @property
    def difference(self) -> float:
        """Tuned minus base, as a share."""
        return (self.tuned_only - self.base_only) / self.n

    @property
    def negative_flip_rate(self) -> float:
        """Share of items lost: what users feel (MUSCLE, arXiv 2407.09435)."""
        return self.base_only / self.n

    @property
    def positive_flip_rate(self) -> float:
        """Share of items gained."""
        return self.tuned_only / self.n

    @property
    def flip_rate(self) -> float:
        """Share of items that changed either way (arXiv 2407.09141)."""
        return self.discordant / self.n

    @property
    def standard_error(self) -> float:
        """Standard error of the difference, using that the items are the same."""
        change = self.tuned_only - self.base_only
        return math.sqrt(max(0.0, self.discordant - change**2 / self.n)) / self.n

    @property
    def unpaired_standard_error(self) -> float:
        """What the standard error would be for two unrelated samples; for comparison only."""
        a, b = self.base, self.tuned
        return math.sqrt((a * (1 - a) + b * (1 - b)) / self.n)

    @property
    def correlation(self) -> float:
        """Correlation of right answers over items; NaN when a model has all right or all wrong."""
        a, b = self.base, self.tuned
        spread = math.sqrt(a * (1 - a) * b * (1 - b))
        return (self.both / self.n - a * b) / spread if spread else math.nan


@dataclass(frozen=True, slots=True)
class McNemar:
    """P-values for "as many items were lost as were gained"."""

    exact: float
    """Two-sided exact binomial p."""
    mid_p: float
    """Two-sided mid-p: less conservative than exact, still close to its level."""
    chi2: float
    """Statistic without continuity correction, one degree of freedom."""
    chi2_p: float
    """P-value of `chi2`."""
    chi2_corrected: float
    """Statistic with Edwards' continuity correction."""
    chi2_corrected_p: float
    """P-value of `chi2_corrected`."""
    regression: float
    """One-sided exact p for "more was lost than gained"."""
    gain: float
    """One-sided exact p for "more was gained than lost"."""


def mcnemar(counts: PairedCounts) -> McNemar:
    """Test whether items flip in one direction more than in the other.

    Only the items on which the models differ carry information; without any, every p is 1.

    >>> round(mcnemar(PairedCounts(both=259, base_only=21, tuned_only=9, neither=111)).exact, 6)
    0.042774
    """
    lost, gained, flips = counts.base_only, counts.tuned_only, counts.discordant
    if flips == 0:
        return McNemar(1.0, 1.0, 0.0, 1.0, 0.0, 1.0, 1.0, 1.0)
    # The ufuncs of scipy.special: the same tails as scipy.stats, forty times sooner.
    fewer = min(lost, gained)
    tail = float(special.bdtr(fewer, flips, 0.5))
    at_point = tail - float(special.bdtr(fewer - 1, flips, 0.5)) if fewer else tail
    chi2 = (lost - gained) ** 2 / flips
    corrected = max(0, abs(lost - gained) - 1) ** 2 / flips
    return McNemar(
        exact=min(1.0, 2 * tail),
        mid_p=2 * tail - at_point,
        chi2=chi2,
        chi2_p=float(special.chdtrc(1, chi2)),
        chi2_corrected=corrected,
        chi2_corrected_p=float(special.chdtrc(1, corrected)),
        regression=_at_least(lost, flips),
        gain=_at_least(gained, flips),
    )


def _at_least(hits: int, flips: int) -> float:
    return float(special.bdtrc(hits - 1, flips, 0.5)) if hits else 1.0
