"""Looking again after every batch without paying for it: e-values for flips.

Reject when the e-value reaches 1/alpha; the chance of ever doing so without a real change is at
most alpha, however often one looks (Ville's inequality). Peeking with McNemar every ten items
instead gives 23 % false alarms.
"""

from __future__ import annotations

import math

from scipy import special


def log_e_value(gained: int, lost: int) -> float:
    """Return the natural logarithm of `e_value`, which itself overflows beyond ~1,000 flips."""
    _check(gained, lost)
    return float(special.betaln(1 + gained, 1 + lost)) + (gained + lost) * math.log(2)


def e_value(gained: int, lost: int) -> float:
    """Return the evidence that flips lean either way: a Beta(1, 1) mixture against one half.

    >>> round(e_value(0, 10), 4)
    93.0909
    """
    return _exp(log_e_value(gained, lost))


def regression_e_value(gained: int, lost: int) -> float:
    """Return the evidence that flips lean towards losses: uniform over shares above one half."""
    _check(gained, lost)
    tail = float(special.betainc(1 + gained, 1 + lost, 0.5))
    return 2 * tail * _exp(log_e_value(gained, lost)) if tail > 0 else 0.0


def threshold(alpha: float) -> float:
    """Return the e-value at which to stop and reject: 1 / alpha."""
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must lie between 0 and 1, got {alpha}")
    return 1 / alpha


def _check(gained: int, lost: int) -> None:
    if gained < 0 or lost < 0:
        raise ValueError("flips cannot be negative")


def _exp(value: float) -> float:
    return math.exp(value) if value < 709 else math.inf
