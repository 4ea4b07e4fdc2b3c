"""`dial.json`: what was measured, and what follows from it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from evalsuite.verdict import Canary
from train.dial.points import Point
from train.dial.rule import Choice, Refusal, Standing
from workspace.files import write_json

FILE = "dial.json"
RULE = (
    "the largest gain on the targets among the points at which every ability to be kept passes its "
    "margin; of equal gains the one that changes less"
)
HALVES = (
    "Choosing the best of many points on the items it is then reported on is optimistic. One half "
    "of the items, taken by a hash of their ids or clusters, chose the point; what is to be "
    "expected of it is told on the other half, which had no say."
)


@dataclass(frozen=True)
class Row:
    """One point."""

    point: Point
    digest: str
    """SHA-256 over the files at its far end; the base's for scale 0."""
    standing: Standing
    """On all items: what the picture shows."""
    choosing: Standing
    """On the half that chooses."""
    on_frontier: bool
    """Whether no other point beats it, on all items."""


@dataclass(frozen=True)
class Dial:
    """A finished dial."""

    id: str
    created: str
    run: str
    """Id of the run."""
    name: str
    """Its name."""
    tuner: str
    """peft's name of the adapter, or `full`."""
    base: dict[str, Any]
    suites: tuple[dict[str, Any], ...]
    rows: tuple[Row, ...]
    """By checkpoint and scale, the base first."""
    choice: Choice | Refusal
    canaries: tuple[Canary, ...]
    environment: dict[str, str]
    notes: tuple[str, ...]
    command: str
    seconds: float

    @property
    def chosen(self) -> Choice | None:
        """The recommendation, if there is one."""
        return None if isinstance(self.choice, str) else self.choice

    @property
    def tuned(self) -> Row:
        """The run as it was trained."""
        return next(row for row in self.rows if row.point == Point(1.0))

    def row(self, point: Point) -> Row:
        """Return the row of a point."""
        return next(row for row in self.rows if row.point == point)

    def as_dict(self) -> dict[str, Any]:
        """Return what is written to `dial.json`."""
        chosen = self.chosen
        document = asdict(self)
        rows, _ = document.pop("rows"), document.pop("choice")
        for row, record in zip(self.rows, rows, strict=True):
            record["point"] = _point(row.point)
        recommendation = chosen and {**asdict(chosen), "point": _point(chosen.point)}
        return {
            "schema_version": 1,
            **document,
            "rule": RULE,
            "halves": HALVES,
            "recommendation": recommendation,
            "refusal": None if chosen else self.choice,
            "points": rows,
        }


def _point(point: Point) -> dict[str, Any]:
    return {"name": point.name, "scale": point.scale, "checkpoint": point.step or None}


def write_dial(directory: Path, dial: Dial) -> None:
    """Write `dial.json`."""
    write_json(directory / FILE, dial.as_dict())
