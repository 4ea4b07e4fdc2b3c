"""What failed, for `report.md`: groups with the nearest training rows."""

from __future__ import annotations

from collections.abc import Sequence

from evalsuite.report.code_span import code
from evalsuite.why.records import FailureGroup

MOST = 12
"""Groups shown; all are in results.json."""


def render_failures(groups: Sequence[FailureGroup]) -> list[str]:
    """Return the lines for the failures of one model; none without any."""
    if not groups:
        return []
    lines = [
        f"<details><summary>What failed: {len(groups)} groups of items</summary>",
        "",
        "| ability | group | items | commonest reason | nearest training row |",
        "|---|---|--:|---|---|",
        *map(_row, groups[:MOST]),
    ]
    left = len(groups) - MOST
    more = [f"\n{left} more groups are in report.html."] if left > 0 else []
    return [*lines, *more, "", "</details>", ""]


def _row(group: FailureGroup) -> str:
    near = group.rows[0] if group.rows else None
    row = f"{code(near.id[:12])} {code(near.text, 120)}" if near else "–"
    reason = code(group.reason, 120) if group.reason else "–"
    return (
        f"| {code(group.ability, 60)} | {code(group.name, 60)} | {len(group.items):,} "
        f"| {reason} | {row} |"
    )
