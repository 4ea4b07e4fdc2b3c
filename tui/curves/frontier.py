"""What was learnt against what was forgotten: probed steps, and points of a dial."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tui.curves.record import RunCurves
from tui.records import UnreadableRecord, number, read_record, words


@dataclass(frozen=True)
class Standing:
    """One point: a probed step, or a scale that was dialled."""

    label: str
    target: float | None
    """Mean score on what is to be gained."""
    worst: str
    """The ability to be kept that fell most."""
    change: float | None
    """By how much it changed against the base."""
    kept: bool
    """Whether every ability is within its margin."""
    is_best: bool = False
    """What the rule chose."""
    step: int | None = None


def probed(curves: RunCurves) -> list[Standing]:
    """Return the probes of a run, by step; the base first where it was recorded."""
    base = next((one.scores for one in curves.probes if one.step == 0), {})
    latest_best = next((one.best for one in reversed(curves.probes) if one.best is not None), None)
    standings = []
    for one in curves.probes:
        changes = {
            name: one.scores[name] - base[name]
            for name in curves.margins
            if name in one.scores and name in base
        }
        worst = min(changes, key=lambda name: changes[name], default="")
        target = one.target if one.step else _base_target(one.scores, curves)
        standings.append(
            Standing(
                label="base" if one.step == 0 else f"step {one.step}",
                target=target,
                worst=worst,
                change=changes.get(worst),
                kept=not one.beyond,
                is_best=one.step == latest_best,
                step=one.step,
            )
        )
    return standings


def _base_target(scores: dict[str, float], curves: RunCurves) -> float | None:
    """Return the base's mean score on the targets, where it is known what is to be kept."""
    if not curves.margins:
        return None
    found = [score for name, score in scores.items() if name not in curves.margins]
    return sum(found) / len(found) if found else None


def dialled(dials: Iterable[Path]) -> list[Standing]:
    """Return the points of the first of these directories of dials that can be read."""
    for directory in dials:
        try:
            record = read_record(directory / "dial.json", kind="dial")
        except UnreadableRecord:
            continue
        points = record.get("points")
        if isinstance(points, list):
            chosen = _dictionary(_dictionary(record.get("recommendation")).get("point"))
            found = (_point(_dictionary(one), words(chosen.get("name"))) for one in points)
            return [one for one in found if one is not None]
    return []


def _dictionary(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _point(record: dict[str, Any], chosen: str) -> Standing | None:
    standing, name = _dictionary(record.get("standing")), _dictionary(record.get("point"))
    label = words(name.get("name"))
    if not label or not standing:
        return None
    return Standing(
        label=label if label.startswith("step") else f"scale {label}",
        target=number(standing.get("target")),
        worst=words(standing.get("worst")),
        change=number(standing.get("worst_change")),
        kept=standing.get("keeps") is True,
        is_best=label == chosen,
    )
