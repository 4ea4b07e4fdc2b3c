"""Every evaluation of a workspace, read from its `results.json`, as lines of points in time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from evalsuite.report.document import ComparisonRecord, Results, read_results
from evalsuite.verdict import AbilityResult
from workspace.errors import DataError

BLOCKS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True)
class Point:
    """One evaluation of one ability of one model."""

    evaluation: str
    created: str
    """ISO 8601."""
    score: float
    """Of the model."""
    difference: float | None
    """From what it was held against."""
    low: float | None
    high: float | None
    """Ends of the 95 % interval of the difference."""
    n: int
    verdict: str
    suite: str
    """Digest of the suites that were put: points of other suites, or of another `n`, are of other
    items."""


@dataclass(frozen=True)
class Line:
    """The points of one ability of one model against one other."""

    model: str
    against: str
    ability: str
    purpose: str
    bounded: bool
    points: tuple[Point, ...]
    """By time; those of one suite digest and as many items can be compared."""
    base: str = ""
    """Where the weights of `against` lie, with their digest: other weights are another line."""

    @property
    def sparkline(self) -> str:
        """The scores as blocks; a gap where the items changed."""
        return sparkline([point.score for point in self.points], bounded=self.bounded)

    @property
    def change(self) -> float | None:
        """The last score minus the first of the same items; None with one of them."""
        last = self.points[-1]
        # Looks and stored answers ask some of a suite's items: fewer are not the same ones.
        same = [one for one in self.points if (one.suite, one.n) == (last.suite, last.n)]
        return last.score - same[0].score if len(same) > 1 else None


@dataclass
class History:
    """All lines, and what could not be read."""

    lines: list[Line] = field(default_factory=list)
    evaluations: int = 0
    unreadable: list[str] = field(default_factory=list)


def read_history(evals: Path, *, model: str | None = None, ability: str | None = None) -> History:
    """Read every evaluation below `evals`; what is damaged is named and passed over.

    Args:
        evals: the workspace's directory of evaluations.
        model: this model alone, by its name in results.
        ability: this ability alone.
    """
    out = History()
    found: dict[tuple[str, str, str, str], list[tuple[AbilityResult, Point]]] = {}
    for directory in sorted(evals.glob("[!.]*")):
        if not (directory / "results.json").is_file():
            continue
        try:
            results = read_results(directory)
        except DataError as error:
            out.unreadable.append(f"{directory.name}: {error.title}")
            continue
        out.evaluations += 1
        places = {one.name: one.place for one in results.bases()}
        for comparison, result, point in _points(results):
            if model in (None, comparison.tuned) and ability in (None, result.name):
                place = places.get(comparison.base, "")
                key = (comparison.tuned, comparison.base, place, result.name)
                found.setdefault(key, []).append((result, point))
    for (tuned, base, place, name), entries in found.items():
        latest = entries[-1][0]
        points = tuple(point for _, point in entries)
        out.lines.append(Line(tuned, base, name, latest.purpose, latest.bounded, points, place))
    out.lines.sort(key=lambda line: (line.model, line.against, line.base))
    return out


def _points(results: Results) -> Iterator[tuple[ComparisonRecord, AbilityResult, Point]]:
    digest = "-".join(sorted(suite.digest[:12] for suite in results.suites))
    for comparison in results.comparisons:
        for one in comparison.verdict.abilities:
            if one.tuned is None:
                continue  # withdrawn or not measured: there is no score to show
            yield comparison, one, Point(
                evaluation=results.id, created=results.created, score=one.tuned,
                difference=one.difference, low=one.low, high=one.high, n=one.n,
                verdict=one.verdict, suite=digest,
            )  # fmt: skip


def sparkline(values: Sequence[float], *, bounded: bool, most: int = 24) -> str:
    """Return a line of blocks, the latest `most` values.

    Scores between 0 and 1 share a scale of at least 10 points, so that noise does not look like a
    cliff.

    >>> sparkline([0.5, 0.55, 0.6], bounded=True), sparkline([0.9, 0.9], bounded=True)
    ('▁▄█', '▄▄')
    """
    values = values[-most:]
    low, high = min(values), max(values)
    least = 0.1 if bounded else 0.0
    if high - low < least:
        middle = (high + low) / 2
        low, high = middle - least / 2, middle + least / 2
    span = high - low
    if not span:
        return BLOCKS[3] * len(values)
    top = len(BLOCKS) - 1
    return "".join(BLOCKS[int((value - low) / span * top)] for value in values)
