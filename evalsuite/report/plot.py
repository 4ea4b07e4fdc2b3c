"""Geometry of the pictures: where things lie, in per cent of the width. Drawing is the template's.

Per cent, so that a picture fills a desk or a phone without its text being scaled.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from evalsuite.report.axis import Scale, Tick, round_step
from evalsuite.sentences import change, size
from evalsuite.verdict import AbilityResult


@dataclass(frozen=True, slots=True)
class Row:
    """One ability in a forest plot; positions in per cent, None when not measured."""

    ability: AbilityResult
    """The evidence."""
    low: float | None
    """Left end of the 95 % interval."""
    high: float | None
    """Right end of the 95 % interval."""
    centre: float | None
    """The difference."""
    threshold: float
    """−margin for what is to be kept, the smallest gain for a target."""

    @property
    def needs_words(self) -> bool:
        """Whether the picture alone does not explain the verdict."""
        upper = self.ability.upper_bound
        plainly_lost = upper is not None and upper < _threshold(self.ability)
        return not (self.ability.verdict == "pass" or plainly_lost)


@dataclass(frozen=True, slots=True)
class Forest:
    """Abilities that share an axis and a purpose."""

    title: str
    """Heading."""
    hint: str
    """What the line means."""
    rows: tuple[Row, ...]
    """One per ability."""
    ticks: tuple[Tick, ...]
    """Marks on the axis."""
    zero: float
    """Position of "no change"."""


def forests(abilities: Sequence[AbilityResult]) -> list[Forest]:
    """Group abilities by purpose and unit and lay each group out on one axis.

    Kept and held-back abilities share their scale, so that their lengths can be compared.
    """
    groups: list[Forest] = []
    for purpose in ("target", "retention"):
        for bounded in (True, False):
            rows = [a for a in abilities if a.purpose == purpose and a.bounded == bounded]
            if not rows:
                continue
            scale = _scale(rows)
            for held_back in (False, True):
                part = [row for row in rows if row.held_back == held_back]
                if part:
                    groups.append(_forest(part, scale))
    return groups


def _forest(rows: Sequence[AbilityResult], scale: Scale) -> Forest:
    first = rows[0]
    if first.purpose == "target":
        title, hint = "To be gained", "dashed line: the smallest gain that counts"
    elif first.held_back:
        title = "To be kept, never replayed in training"
        hint = "dashed line: the largest loss accepted"
    else:
        title, hint = "To be kept", "dashed line: the largest loss accepted"
    if not first.bounded:
        title += " (in the unit of the score)"
    return Forest(
        title=title,
        hint=hint,
        rows=tuple(_row(row, scale) for row in rows),
        ticks=tuple(_ticks(scale, bounded=first.bounded)),
        zero=scale.at(0),
    )


def _row(ability: AbilityResult, scale: Scale) -> Row:
    def at(value: float | None) -> float | None:
        return None if value is None else scale.at(value)

    return Row(
        ability=ability,
        low=at(ability.low),
        high=at(ability.high),
        centre=at(ability.difference),
        threshold=scale.at(_threshold(ability)),
    )


def _threshold(ability: AbilityResult) -> float:
    return ability.min_gain if ability.purpose == "target" else -ability.margin


def _scale(rows: Sequence[AbilityResult]) -> Scale:
    values = [0.0, *map(_threshold, rows)]
    for row in rows:
        values += [v for v in (row.low, row.high, row.difference) if v is not None]
    low, high = min(values), max(values)
    pad = max(0.08 * (high - low), 0.01)
    return Scale(low - pad, high + pad)


def _ticks(scale: Scale, *, bounded: bool) -> list[Tick]:
    step = round_step((scale.high - scale.low) / 5)
    first, last = math.ceil(scale.low / step), math.floor(scale.high / step)
    ticks = []
    for index in range(first, last + 1):
        value = index * step
        sign = "" if index == 0 else change(value, bounded=bounded)[0]
        ticks.append(Tick(scale.at(value), sign + size(abs(value), bounded=bounded)))
    return ticks
