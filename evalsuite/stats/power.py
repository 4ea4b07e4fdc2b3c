"""How small a change could have been seen, and how many items it takes to see one."""

from __future__ import annotations

import math
from statistics import NormalDist

_NORMAL = NormalDist()


def _z_sum(alpha: float, power: float, two_sided: bool) -> float:
    return _NORMAL.inv_cdf(power) - _NORMAL.inv_cdf(alpha / 2 if two_sided else alpha)


def minimum_detectable_effect(
    variance: float,
    n: float,
    *,
    alpha: float = 0.05,
    power: float = 0.8,
    two_sided: bool = True,
    sampling_variances: tuple[float, float] = (0.0, 0.0),
    samples_per_item: int = 1,
) -> float:
    """Return the smallest true difference that `n` items would show with probability `power`.

    Args:
        variance: of the paired difference over items; for right-or-wrong answers decoded greedily
            the flip rate minus the squared difference.
        n: items (divide by the design effect for clustered items).
        alpha: level of the test.
        power: wanted probability of seeing it.
        two_sided: whether the test looks in both directions.
        sampling_variances: variance within an item of base and tuned when answers are sampled.
        samples_per_item: answers sampled per item and model.

    Source: Miller, arXiv 2411.00640, section 5.

    >>> round(minimum_detectable_effect(0.10, 400), 4)
    0.0443
    """
    if n <= 0:
        raise ValueError("n must be positive")
    total = variance + sum(sampling_variances) / samples_per_item
    return _z_sum(alpha, power, two_sided) * math.sqrt(total / n)


def required_items(
    variance: float,
    effect: float,
    *,
    alpha: float = 0.05,
    power: float = 0.8,
    two_sided: bool = True,
    sampling_variances: tuple[float, float] = (0.0, 0.0),
    samples_per_item: int = 1,
) -> float:
    """Return the number of items (not rounded) at which `effect` is seen with `power`.

    Arguments as for `minimum_detectable_effect`; `effect` is the true difference to see, and for
    a non-inferiority test the distance from the expected difference to the margin.

    >>> round(required_items(1 / 9, 0.03), 1)
    969.0
    """
    if effect == 0:
        return math.inf
    total = variance + sum(sampling_variances) / samples_per_item
    return _z_sum(alpha, power, two_sided) ** 2 * total / effect**2
