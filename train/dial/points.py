"""Points of the dial: how much of which weights. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from workspace.errors import UsageError

SCALES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
"""Measured unless others are asked for."""
_STEP = "step-"


@dataclass(frozen=True, order=True)
class Point:
    """Weights to measure: a share of the way from the base to the finished model or a checkpoint.

    >>> Point(0.5).name, Point(1.0, 40).name
    ('0.5', 'step-40')
    """

    scale: float
    """0 is the base, 1 the tuned weights."""
    step: int = 0
    """Of the checkpoint whose weights are at the far end; 0: the finished model's."""

    @property
    def name(self) -> str:
        """What tables, samples and `--at` call it."""
        return f"{_STEP}{self.step}" if self.step else f"{self.scale:g}"


def plan_points(
    scales: Sequence[float], steps: Sequence[int], at: str | None = None
) -> tuple[Point, ...]:
    """Return the points to measure: base, tuned, what is asked for, and checkpoints.

    Args:
        scales: of the finished model; empty for the usual ones.
        steps: of kept checkpoints, each measured at scale 1.
        at: a point that must be among them, by name.

    Raises:
        UsageError: a scale outside 0 to 1, or no such point.
    """
    wanted = {0.0, 1.0, *(_checked(scale) for scale in scales or SCALES)}
    points = {Point(1.0, step) for step in steps}
    if at is not None:
        chosen = find_point(at, steps)
        points.add(chosen)
    points |= {Point(scale) for scale in wanted}
    return tuple(sorted(points, key=lambda point: (point.step, point.scale)))


def find_point(name: str, steps: Sequence[int]) -> Point:
    """Return the point that `name` means: a scale, or `step-40`.

    Raises:
        UsageError: it means none.
    """
    if name.startswith(_STEP):
        if name[len(_STEP) :].isdigit() and int(name[len(_STEP) :]) in steps:
            return Point(1.0, int(name[len(_STEP) :]))
        kept = ", ".join(f"{_STEP}{step}" for step in steps) or "none"
        raise UsageError(
            "there is no such checkpoint to write",
            where=name,
            cause=f"Those that can be measured: {kept}.",
            cure="The finished model is scale 1; `train.keep_checkpoints` keeps more of them.",
        )
    return Point(parse_scales(name)[0])


def parse_scales(text: str) -> tuple[float, ...]:
    """Return the scales in `0.3,0.5`.

    Raises:
        UsageError: one is no number from 0 to 1.
    """
    return tuple(_checked(part.strip()) for part in text.split(","))


def _checked(scale: float | str) -> float:
    try:
        value = float(scale)
    except ValueError:
        value = float("nan")
    if not 0.0 <= value <= 1.0:
        raise UsageError(
            "a scale is a number from 0 to 1",
            where=str(scale),
            cause="0 is the base and 1 the model as it was trained; beyond them nothing was seen "
            "in training.",
            cure="For example: --scales 0.25,0.5,0.75",
        )
    return round(value, 6) + 0.0
