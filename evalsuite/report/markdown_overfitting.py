"""The part of `report.md` that says what a model makes of the data it was trained on."""

from __future__ import annotations

from evalsuite.overfitting.records import OverfittingRecord
from evalsuite.overfitting.wording import (
    drift_lines,
    nats,
    recalled_strings,
    recited_rows,
    told_words,
)
from evalsuite.report.code_span import code

RECITED_SHOWN = 3


def render_own_data(record: OverfittingRecord | None) -> list[str]:
    """Return the section of one tuned model; nothing where it was not asked for."""
    if record is None:
        return []
    if record.state == "not_run":
        return [f"**On its own data:** not measured, {code(record.detail, 300)}", ""]
    lines = [f"**On its own data: {told_words(record) or 'not told'}.** {record.sentence}", ""]
    lines += [
        "| loss per token, mean of rows | rows | tokens | base | tuned | change |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    lines += [
        f"| {one.part} | {one.rows:,} | {one.tokens:,} | {nats(one.base)} | {nats(one.tuned)} | "
        f"{nats(one.change.value)} ({nats(one.change.low)} … {nats(one.change.high)}) |"
        for one in record.losses
    ]
    lines += [""]
    lines += [f"- {line}" for line in (*record.evidence, *drift_lines(record))]
    lines += [f"- → {line}" for line in record.advice]
    lines += [f"- {code(record.detail, 300)}"] if record.detail else []
    return [*lines, *_planted(record), *_recited(record), ""]


def _planted(record: OverfittingRecord) -> list[str]:
    found = recalled_strings(record)
    if not found:
        return []
    return [
        "",
        "| planted string | seen | rank | of the base | exposure, bits |",
        "|---|--:|--:|--:|--:|",
        *(
            f"| {code(one.canary, 60)} | {one.seen:,} | {one.rank:,} of {one.references:,} | "
            f"{one.base_rank:,} | {one.bits:.1f} |"
            for one in found
        ),
    ]


def _recited(record: OverfittingRecord) -> list[str]:
    found = recited_rows(record, RECITED_SHOWN)
    if not found:
        return []
    return [
        "",
        "| recited | seen | bits to the base | to the tuned model |",
        "|---|--:|--:|--:|",
        *(
            f"| {code(one.text, 120)} {code(one.row_id, 12)} | {one.seen:,} | "
            f"{one.base_bits:,.0f} | {one.tuned_bits:,.1f} |"
            for one in found
        ),
    ]
