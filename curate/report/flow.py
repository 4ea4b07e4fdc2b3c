"""The rows as a river: as wide as there are rows, narrower after each step that drops some."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from curate.ledger import Entry, Ledger

TONES = 6
"""Colours for sources; the last is for all that are not among the largest."""
WIDTH, HEIGHT = 100.0, 60.0
"""Of the picture of one step, which is stretched to the page."""
_HAIR = 0.35
"""What is dropped is drawn at least this wide, or 3 of 100,000 rows would not be seen."""


@dataclass(frozen=True)
class Band:
    """The rows of one source through one step, or the rows that leave or come."""

    tone: str
    """`source-0` …, or `gone`."""
    path: str
    """An SVG path in `WIDTH` times `HEIGHT`."""


@dataclass(frozen=True)
class Reach:
    """One step."""

    total: Entry
    bands: tuple[Band, ...]

    @property
    def name(self) -> str:
        """Name of the step."""
        return self.total.step

    @property
    def dropped(self) -> int:
        """Rows that go."""
        return sum(count.rows for count in self.total.dropped.values())

    @property
    def made(self) -> int:
        """Rows that come."""
        return sum(count.rows for count in self.total.made.values())

    @property
    def changed(self) -> int:
        """Rows whose text is another than before."""
        return sum(count.rows for count in self.total.changed.values())


@dataclass(frozen=True)
class River:
    """All steps, and the names of the colours."""

    reaches: tuple[Reach, ...]
    legend: tuple[tuple[str, str], ...]
    """Colour and source, the largest first."""


def river(ledger: Ledger) -> River:
    """Lay out the way of the rows through the steps, by source."""
    streams = _streams(ledger)
    widest = max(ledger.total(step).kept.rows + _gone(ledger.total(step)) for step in ledger.steps)
    scale = (WIDTH - 1) / max(widest, 1)
    reaches = []
    for step in ledger.steps:
        before = _widths(ledger, step, streams, scale, kept=False)
        after = _widths(ledger, step, streams, scale, kept=True)
        total = ledger.total(step)
        bands = [
            Band(f"source-{place}", _band(before, after, place))
            for place in range(len(before))
            if before[place] or after[place]
        ]
        gone = _gone(total) * scale
        if gone:
            bands.append(Band("gone", _wedge(sum(before), sum(after), max(gone, _HAIR))))
        reaches.append(Reach(total, tuple(bands)))
    names = [f"source-{place}" for place in range(len(streams))]
    legend = zip(names, (_name(stream) for stream in streams), strict=True)
    return River(tuple(reaches), tuple(legend))


def _streams(ledger: Ledger) -> list[list[str]]:
    """Return the sources that share a colour; each of the largest has one for itself."""
    size: dict[str, int] = {}
    for entry in ledger.entries:
        rows = entry.kept.rows + _gone(entry)
        size[entry.source] = max(size.get(entry.source, 0), rows)
    names = sorted(size, key=lambda name: -size[name])
    if len(names) <= TONES:
        return [[name] for name in names]
    return [*([name] for name in names[: TONES - 1]), names[TONES - 1 :]]


def _name(stream: Sequence[str]) -> str:
    return stream[0] if len(stream) == 1 else f"{len(stream):,} other sources"


def _gone(entry: Entry) -> int:
    return sum(count.rows for count in entry.dropped.values())


def _widths(
    ledger: Ledger, step: str, streams: Sequence[Sequence[str]], scale: float, *, kept: bool
) -> list[float]:
    rows: Mapping[str, int] = {
        entry.source: (entry.kept if kept else entry.rows_in).rows
        for entry in ledger.entries
        if entry.step == step
    }
    return [scale * sum(rows.get(name, 0) for name in stream) for stream in streams]


def _band(before: Sequence[float], after: Sequence[float], place: int) -> str:
    top, bottom = sum(before[:place]), sum(after[:place])
    return _between(top, top + before[place], bottom, bottom + after[place])


def _wedge(before: float, after: float, gone: float) -> str:
    """Return the shape of what leaves at the right bank."""
    return _between(before, before, after, after + gone)


def _between(left: float, right: float, left_end: float, right_end: float) -> str:
    """Return the shape between two banks, each from its place above to its place below."""
    half = HEIGHT / 2
    return (
        f"M{left:.2f} 0C{left:.2f} {half:g} {left_end:.2f} {half:g} {left_end:.2f} {HEIGHT:g}"
        f"H{right_end:.2f}C{right_end:.2f} {half:g} {right:.2f} {half:g} {right:.2f} 0Z"
    )
