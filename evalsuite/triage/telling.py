"""Lost abilities that were asked again, on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from evalsuite.sentences import score
from evalsuite.triage.records import TriageRecord
from workspace.context import emit_table
from workspace.text import plain


def tell_triage(records: Sequence[TriageRecord]) -> None:
    """Print what asking again showed; nothing where nothing was lost."""
    if not records:
        return
    rows = [
        [
            record.ability if number == 0 else "",
            way.name,
            f"{way.items:,}",
            score(way.base),
            score(way.tuned),
            score(way.kept) if number else "",
            record.kind if number == 0 else "",
        ]
        for record in records
        for number, way in enumerate(record.ways)
    ]
    emit_table(
        f"what {records[0].tuned} lost, asked again",
        ["ability", "asked", "items", "base", "tuned", "kept of the base's skill", "loss"],
        rows,
        numeric=(2, 3, 4, 5),
    )
    for record in records:
        print(plain(f"  {record.sentence}"))
        print(plain(f"    → {record.advice}"))
    print()
