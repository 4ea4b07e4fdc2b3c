"""Which point to take. Pure.

The rule: among the points at which every ability to be kept passes the gate's non-inferiority
margin (the one-sided lower bound of its change, at the suite's alpha, lies above minus the margin),
the one with the largest gain on the targets; of equal gains the one that changes less.

Choosing the best of many points and reporting its figures on the same items is optimistic: part
of what makes it the best is luck. So the items are cut in two halves, by a hash of their ids (of
their clusters, where they have some). One half chooses; the figures to expect are those of the
other half, which had no say. A suite's `min_items` is halved with them: both halves together must
reach it.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evalsuite.gate import judge
from evalsuite.verdict import AbilityResult, PairedAbility, Status
from train.dial.points import Point
from workspace.errors import DataError

Refusal = Literal["nothing gained", "lost", "undecided", "invalid"]
"""Why no point is recommended: no point gains anything; those that do surely lose more than the
margin; the items are too few to tell; or a check of the measurement failed."""


@dataclass(frozen=True)
class Standing:
    """One point on some items; scores and changes in the unit of the score (0.05 is 5 points)."""

    target: float
    """Mean score over the target abilities."""
    gain: float
    """Mean change of the target abilities."""
    gain_low: float | None
    """Lower end of its 95 % interval."""
    gain_high: float | None
    """Upper end of it."""
    worst: str
    """The ability to be kept that comes nearest to its margin, or lies furthest beyond it."""
    worst_change: float
    """Its change."""
    worst_low: float | None
    """Lower end of its 95 % interval."""
    worst_high: float | None
    """Upper end of it."""
    worst_margin: float
    """The largest loss of it that is acceptable."""
    kept_share: float | None
    """Smallest score ÷ the base's over the abilities to be kept; None where that means nothing."""
    keeps: bool
    """Whether every ability to be kept passes its margin."""
    surely_loses: bool
    """Whether one of them has certainly lost more than its margin."""
    verdict: Status
    """What the gate says on these items."""
    items: int
    """Items compared, over all abilities."""
    abilities: tuple[AbilityResult, ...]
    """The evidence by ability."""


@dataclass(frozen=True)
class Choice:
    """The recommended point."""

    point: Point
    chosen_on: Standing
    """The half of the items that chose it: optimistic."""
    expected: Standing
    """The half that had no say: what to expect."""


def standing(abilities: Sequence[PairedAbility]) -> Standing:
    """Return how a point stands against the base.

    Args:
        abilities: at least one target and one to be kept, paired with the base.

    Raises:
        DataError: an ability has no items, or a score is no number.
    """
    verdict = judge(abilities)
    for one in verdict.abilities:
        if one.difference is None:
            raise DataError(
                f"{one.name} cannot be compared",
                cause=one.detail or "It has no items, or too few to be cut in two halves.",
                cure="Give its suite more items.",
            )
    targets = [one for one in verdict.abilities if one.purpose == "target"]
    kept = [one for one in verdict.abilities if one.purpose == "retention"]
    worst = min(kept, key=lambda one: _known(one.difference) + one.margin)
    gain = _mean([_known(one.difference) for one in targets])
    low = _end([(one.difference, one.low) for one in targets], gain, -1)
    high = _end([(one.difference, one.high) for one in targets], gain, 1)
    shares = [
        one.tuned / one.base
        for one in kept
        if one.bounded and one.base and one.base > 0 and one.tuned is not None
    ]
    return Standing(
        target=_mean([_known(one.tuned) for one in targets]),
        gain=gain,
        gain_low=low,
        gain_high=high,
        worst=worst.name,
        worst_change=_known(worst.difference),
        worst_low=worst.low,
        worst_high=worst.high,
        worst_margin=worst.margin,
        kept_share=min(shares, default=None),
        keeps=all(map(_passes_margin, kept)),
        surely_loses=any(one.verdict == "fail" for one in kept),
        verdict=verdict.status,
        items=sum(one.n for one in verdict.abilities),
        abilities=verdict.abilities,
    )


def _passes_margin(one: AbilityResult) -> bool:
    bound = -math.inf if one.lower_bound is None else one.lower_bound
    return one.state == "measured" and bound > -one.margin


def _known(value: float | None) -> float:
    return math.nan if value is None else value


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _end(
    pairs: Sequence[tuple[float | None, float | None]], centre: float, side: int
) -> float | None:
    """Return an end of the interval of a mean of independent differences."""
    if any(end is None for _, end in pairs):
        return None
    squares = math.fsum((_known(end) - _known(middle)) ** 2 for middle, end in pairs)
    return centre + side * math.sqrt(squares) / len(pairs)


def halves(ability: PairedAbility) -> tuple[PairedAbility, PairedAbility]:
    """Cut the items of an ability in two, the same way for every point.

    Clusters stay whole. The order of the items does not matter.
    """
    labels = ability.clusters if ability.clusters is not None else ability.item_ids
    sizes: dict[str, int] = {}
    for label in labels:
        sizes[label] = sizes.get(label, 0) + 1
    counts, side = [0, 0], {}
    for label in sorted(sizes, key=lambda text: hashlib.sha256(text.encode()).digest()):
        side[label] = int(counts[1] < counts[0])
        counts[side[label]] += sizes[label]
    chooses = np.array([side[label] == 0 for label in labels], dtype=bool)
    return _part(ability, chooses), _part(ability, ~chooses)


def _part(ability: PairedAbility, mask: NDArray[np.bool_]) -> PairedAbility:
    def kept(values: ArrayLike) -> NDArray[np.float64]:
        return np.asarray(values, dtype=np.float64)[mask]

    def named(values: Sequence[str]) -> list[str]:
        return [value for value, wanted in zip(values, mask, strict=True) if wanted]

    share = float(mask.mean()) if mask.size else 0.0
    return replace(
        ability,
        base=kept(ability.base),
        tuned=kept(ability.tuned),
        item_ids=named(ability.item_ids),
        clusters=None if ability.clusters is None else named(ability.clusters),
        min_items=math.floor(ability.min_items * share),
    )


def choose(
    choosing: Mapping[Point, Standing], expected: Mapping[Point, Standing]
) -> Choice | Refusal:
    """Return the recommended point, or why there is none.

    Args:
        choosing: each point on the half that chooses.
        expected: each on the other half.
    """
    gaining = [point for point, one in choosing.items() if one.gain > 0]
    if not gaining:
        return "nothing gained"
    keeping = [point for point in gaining if choosing[point].keeps]
    if not keeping:
        return "lost" if all(choosing[one].surely_loses for one in gaining) else "undecided"
    best = max(
        keeping,
        key=lambda point: (
            choosing[point].gain,
            choosing[point].worst_change,
            -point.scale,
            -point.step,
        ),
    )
    return Choice(best, choosing[best], expected[best])


def frontier(points: Mapping[Point, Standing]) -> set[Point]:
    """Return the points that no other beats: none has more gain with no more loss, or less loss
    with no less gain.
    """
    return {
        point
        for point, one in points.items()
        if not any(
            other.gain >= one.gain
            and other.worst_change >= one.worst_change
            and (other.gain, other.worst_change) != (one.gain, one.worst_change)
            for other in points.values()
        )
    }
