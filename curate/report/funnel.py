"""The way of the rows through the steps, as numbers for a drawing."""

from __future__ import annotations

from dataclasses import dataclass

from curate.ledger import Ledger

WIDTH = 900
_TOP, _GAP = 18, 46


@dataclass(frozen=True)
class Bar:
    """One step of the funnel, in pixels of an SVG of width `WIDTH`."""

    label: str
    y: int
    kept_width: float
    dropped_width: float
    kept: int
    dropped: int


@dataclass(frozen=True)
class Funnel:
    """All bars and the height they need."""

    bars: tuple[Bar, ...]
    height: int
    width: int = WIDTH


def funnel(ledger: Ledger) -> Funnel:
    """Return one bar for each step: what stays and what goes, to one scale."""
    scale = (WIDTH - 330) / max(ledger.rows_read + ledger.rows_made, 1)
    bars = []
    for number, step in enumerate(ledger.steps):
        total = ledger.total(step)
        gone = sum(count.rows for count in total.dropped.values())
        bars.append(
            Bar(
                step.replace("_", " "),
                _TOP + number * _GAP,
                round(total.kept.rows * scale, 1),
                round(gone * scale, 1),
                total.kept.rows,
                gone,
            )
        )
    return Funnel(tuple(bars), _TOP + len(bars) * _GAP)
