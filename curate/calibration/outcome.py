"""What a calibration found."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from evalsuite.stats.interval import Interval
from evalsuite.stats.proportions import clopper_pearson_interval, wilson_interval


@dataclass(frozen=True)
class Share:
    """So many of so many, with its interval at 95 % (Wilson); nothing is known of none."""

    hits: int
    of: int

    @property
    def value(self) -> float | None:
        """The share; None of none."""
        return self.hits / self.of if self.of else None

    @property
    def interval(self) -> Interval:
        """From 0 to 1 where there is none to count."""
        return wilson_interval(self.hits, self.of) if self.of else Interval(0.0, 1.0, 0.95)

    def document(self) -> dict[str, Any]:
        """Return what is written as JSON."""
        interval = self.interval
        return {
            "hits": self.hits,
            "of": self.of,
            "value": self.value,
            "low": interval.low,
            "high": interval.high,
        }


@dataclass(frozen=True)
class Point:
    """What near-duplicate removal does at one threshold."""

    threshold: float
    precision: Share
    """Copies among the plants removed; as many siblings were planted as copies."""
    recall: Share
    """Copies removed among all copies."""
    removed: dict[str, Share]
    """Class of plant → how many of it were removed."""
    random_pairs: Share
    """Pairs of rows drawn by chance that would be called duplicates."""
    real_pairs: int
    """Pairs of the rows given that are called duplicates, beside equal ones."""

    @property
    def per_million(self) -> tuple[float, float]:
        """Random pairs called duplicates per million, and the upper limit (exact, 95 %)."""
        share = self.random_pairs
        if not share.of:
            return 0.0, 1e6
        return 1e6 * share.hits / share.of, 1e6 * clopper_pearson_interval(
            share.hits, share.of
        ).high

    def document(self) -> dict[str, Any]:
        """Return what is written as JSON."""
        rate, limit = self.per_million
        return {
            "threshold": self.threshold,
            "precision": self.precision.document(),
            "recall": self.recall.document(),
            "removed": {kind: share.document() for kind, share in self.removed.items()},
            "false_alarms_per_million_pairs": rate,
            "false_alarms_per_million_pairs_at_most": limit,
            "real_pairs": self.real_pairs,
        }


@dataclass(frozen=True)
class Example:
    """Two rows of the person's own."""

    similarity: float
    first: str
    second: str
    """Prompt and answer, whole."""


@dataclass(frozen=True)
class Calibration:
    """Precision and recall of near-duplicate removal by threshold, on a person's own rows."""

    rows: int
    sampled: int
    """Rows that plants were made of and that were compared with each other."""
    planted: dict[str, int]
    """Class → plants counted."""
    wanted: float
    proposed: float | None
    """The lowest threshold at which the lower limit of precision is as wanted, and above which
    precision is never less; None: there is no such."""
    points: tuple[Point, ...]
    """By ascending threshold."""
    examples: tuple[Example, ...]
    """Pairs whose similarity is nearest to the proposed threshold, or to the step's default."""
    notes: tuple[str, ...]

    def at(self, threshold: float) -> Point:
        """Return what was found at the highest threshold measured that is not above this one."""
        below = [point for point in self.points if point.threshold <= threshold + 1e-9]
        return below[-1] if below else self.points[0]

    def document(self) -> dict[str, Any]:
        """Return what is written as JSON."""
        return {
            "schema_version": 1,
            "rows": self.rows,
            "sampled": self.sampled,
            "planted": self.planted,
            "wanted_precision": self.wanted,
            "proposed_threshold": self.proposed,
            "points": [point.document() for point in self.points],
            "examples": [asdict(example) for example in self.examples],
            "notes": list(self.notes),
        }
