"""Scores over time and blessed baselines, read in a worker."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from workspace.errors import TemperError
from workspace.layout import Workspace

if TYPE_CHECKING:
    from evalsuite.history.timeline import Line as Trend


@dataclass(frozen=True)
class Trends:
    """All lines of all models, and what the workspace calls good."""

    lines: tuple[Trend, ...] = ()
    baselines: tuple[tuple[str, str, str], ...] = ()
    """Name, what it stands for, and why."""
    troubles: tuple[str, ...] = ()
    """What could not be read."""


def read_trends(root: Path) -> Trends:
    """Read every evaluation; what is damaged is named and passed over."""
    from evalsuite.baselines.blessed import baselines, read_baseline
    from evalsuite.history.timeline import read_history

    workspace = Workspace(root)
    troubles: list[str] = []
    try:
        found = read_history(workspace.evals)
    except (OSError, TemperError, ValueError) as error:
        return Trends(troubles=(f"the evaluations cannot be read: {error}",))
    troubles += found.unreadable
    blessed = []
    for path in sorted(baselines(workspace).glob("[!.]*.json")):
        try:
            one = read_baseline(path)
        except (TemperError, OSError) as error:
            troubles.append(f"{path.name}: {error}")
            continue
        blessed.append(
            (one.name, f"{one.blessed.model} of {one.blessed.evaluation}", one.blessed.why)
        )
    return Trends(tuple(found.lines), tuple(blessed), tuple(troubles))
