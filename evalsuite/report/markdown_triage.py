"""The part of `report.md` that says whether lost abilities are gone or answered otherwise."""

from __future__ import annotations

from collections.abc import Sequence

from evalsuite.report.code_span import code
from evalsuite.triage.records import TriageRecord


def render_triage(records: Sequence[TriageRecord]) -> list[str]:
    """Return a list of lost abilities; nothing where none was asked again."""
    if not records:
        return []
    lines = ["**Lost abilities, asked again in other ways:**", ""]
    lines += [f"- {code(one.sentence, 400)} → {one.advice}" for one in records]
    return [*lines, ""]
