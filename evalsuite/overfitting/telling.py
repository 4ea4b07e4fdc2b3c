"""What a run's own data showed, on a terminal."""

from __future__ import annotations

from evalsuite.overfitting.records import OverfittingRecord
from evalsuite.overfitting.wording import drift_lines, recalled_strings, recited_rows, told_words
from workspace.context import emit_table
from workspace.text import plain

RECITED_SHOWN = 3
TEXT_SHOWN = 60


def tell_own_data(record: OverfittingRecord | None) -> None:
    """Print the verdict with its figures; nothing where it was not asked for."""
    if record is None:
        return
    if record.state == "not_run":
        print(plain(f"On its own data: not measured, {record.detail}.\n"))
        return
    if record.words:
        print(plain(f"On its own data: {told_words(record)}."))
    if record.sentence:
        print(plain(f"  {record.sentence[:1].upper()}{record.sentence[1:]}"))
    for line in record.evidence:
        print(plain(f"  · {line}"))
    for line in drift_lines(record):
        print(plain(f"  · {line}"))
    for line in record.advice:
        print(plain(f"  → {line}"))
    if record.detail:
        print(plain(f"  ({record.detail})"))
    print()
    _tell_planted(record)
    _tell_recited(record)


def _tell_planted(record: OverfittingRecord) -> None:
    found = recalled_strings(record)
    if not found:
        return
    rows = [
        [
            plain(one.canary, TEXT_SHOWN),
            f"{one.seen:,}",
            f"{one.rank:,} of {one.references:,}",
            f"{one.base_rank:,}",
            f"{one.bits:.1f}",
        ]
        for one in found
    ]
    emit_table(
        f"planted strings that {record.tuned} knows",
        ["string", "seen", "rank", "of the base", "exposure, bits"],
        rows,
        numeric=(1, 2, 3, 4),
    )


def _tell_recited(record: OverfittingRecord) -> None:
    found = recited_rows(record, RECITED_SHOWN)
    if not found:
        return
    rows = [
        [
            plain(one.row_id, 12),
            f"{one.seen:,}",
            f"{one.base_bits:,.0f}",
            f"{one.tuned_bits:,.1f}",
            plain(one.text, TEXT_SHOWN),
        ]
        for one in found
    ]
    emit_table(
        f"what {record.tuned} recites of its rows",
        ["row", "seen", "bits to the base", "to the tuned model", "text"],
        rows,
        numeric=(1, 2, 3),
    )
