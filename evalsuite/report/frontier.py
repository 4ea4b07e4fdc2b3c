"""What several tuned models gained against what they lost, as points of a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from evalsuite.report.axis import Scale, Tick, round_step
from evalsuite.report.document import ComparisonRecord
from evalsuite.sentences import change

HEIGHT = 260
"""Of the picture, in pixels; positions across are in per cent, so that it fills any screen."""
_TOP, _BOTTOM = 16.0, 228.0


@dataclass(frozen=True, slots=True)
class Point:
    """One tuned model."""

    name: str
    verdict: str
    gain: float
    """Mean change of the target abilities."""
    worst: float
    """Change of the ability to keep that lost most."""
    ability: str
    """Which one that is."""
    x: float
    """Per cent of the width: further right gained more."""
    y: float
    """Pixels from the top: higher up kept more."""
    is_best: bool
    """No other model both gained and kept at least as much."""


@dataclass(frozen=True, slots=True)
class Frontier:
    """The picture."""

    points: tuple[Point, ...]
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    """Their `at` is in pixels."""
    zero_x: float
    zero_y: float


def frontier(comparisons: Sequence[ComparisonRecord]) -> Frontier | None:
    """Lay out the models that were held against the base; None for fewer than two.

    What has no bounds (perplexity) and what an invalid verdict withdrew is left out.
    """
    found = [one for one in map(_measured, comparisons) if one is not None]
    if len(found) < 2:
        return None
    wide = _scale([gain for _, gain, _, _ in found])
    high = _scale([worst for _, _, worst, _ in found])
    points = tuple(
        Point(
            comparison.tuned, comparison.verdict.status, gain, worst, ability,
            wide.at(gain), _down(high, worst),
            not any(
                other[1] >= gain and other[2] >= worst and (other[1], other[2]) != (gain, worst)
                for other in found
            ),
        )
        for comparison, gain, worst, ability in found
    )  # fmt: skip
    return Frontier(
        points,
        tuple(Tick(wide.at(value), change(value)) for value in _marks(wide)),
        tuple(Tick(_down(high, value), change(value)) for value in _marks(high)),
        wide.at(0.0),
        _down(high, 0.0),
    )


def _measured(comparison: ComparisonRecord) -> tuple[ComparisonRecord, float, float, str] | None:
    if comparison.base != "base":
        return None
    known = [
        (one.purpose, one.difference, one.name)
        for one in comparison.verdict.abilities
        if one.difference is not None and one.bounded
    ]
    gains = [difference for purpose, difference, _ in known if purpose == "target"]
    kept = [(difference, name) for purpose, difference, name in known if purpose == "retention"]
    return (comparison, fmean(gains), *min(kept)) if gains and kept else None


def _scale(values: Sequence[float]) -> Scale:
    low, high = min(0.0, *values), max(0.0, *values)
    pad = max(0.12 * (high - low), 0.01)
    return Scale(low - pad, high + pad)


def _down(scale: Scale, value: float) -> float:
    share = (value - scale.low) / (scale.high - scale.low)
    return round(_BOTTOM - (_BOTTOM - _TOP) * share, 1)


def _marks(scale: Scale) -> list[float]:
    step = round_step((scale.high - scale.low) / 5)
    first, last = int(scale.low / step), int(scale.high / step)
    return [number * step for number in range(first, last + 1)]
