"""What steps changed: before and after of a repair, and only the after of a redaction."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from curate.pipeline import Curated
from curate.reasons import Reason
from curate.report.room import Room
from curate.report.rows import ShownRow
from curate.report.words import Comparison, compare_words
from curate.steps.quality.masks import Masks

PER_REASON = 3
_TEXT = 400
_AROUND = 150
_PLACEHOLDER = re.compile(r"<[A-Z][A-Z_]{1,40}_[0-9]{1,6}>")


@dataclass(frozen=True)
class Change:
    """A row that a step rewrote."""

    place: str
    detail: str
    comparison: Comparison | None
    """Before and after; None: only the after may be shown."""
    after: str


@dataclass(frozen=True)
class ChangeBlock:
    """All changes of a step for one reason, and some of them."""

    step: str
    reason: str
    description: str
    count: int
    changes: tuple[Change, ...]


def changed_examples(curated: Curated) -> pl.DataFrame:
    """Return the `step`, `reason`, `id`, `detail` of some rows that are kept and were changed once.

    Only of such a row is the difference between what was read and what is kept one step's doing.
    """
    altered = curated.altered.filter(pl.col("what") == "changed")
    if altered.is_empty():
        return altered.select("step", "reason", "id", "detail")
    once = altered.filter(pl.len().over("id") == 1)
    gone = curated.dropped.select("id")
    return (
        once.join(gone, on="id", how="anti", maintain_order="left")
        .group_by("step", "reason", maintain_order=True)
        .head(PER_REASON)
        .select("step", "reason", "id", "detail")
    )


def change_blocks(
    curated: Curated,
    examples: pl.DataFrame,
    before: Mapping[str, ShownRow],
    after: Mapping[str, ShownRow],
    room: Room,
) -> list[ChangeBlock]:
    """Return every step's changes by reason.

    Args:
        curated: knows what was changed, and what must not be shown.
        examples: from `changed_examples`.
        before: those rows as they were read.
        after: as they are kept.
        room: what they may take of the page.
    """
    masks = curated.evidence.masks if curated.evidence else Masks()
    blocks = []
    for step in curated.ledger.steps:
        for reason, count in curated.ledger.total(step).changed.items():
            mine = examples.filter((pl.col("step") == step) & (pl.col("reason") == reason))
            changes = []
            for row, detail in mine.select("id", "detail").iter_rows():
                if row not in after:
                    continue
                private = reason == Reason.PERSONAL_DATA
                change = _change(None if private else before.get(row), after[row], detail, masks)
                texts = change.comparison.texts if change.comparison else ()
                if room.takes(*texts, change.after, detail):
                    changes.append(change)
            blocks.append(
                ChangeBlock(step, reason, Reason(reason).description, count.rows, tuple(changes))
            )
    return blocks


def _change(before: ShownRow | None, after: ShownRow, detail: str, masks: Masks) -> Change:
    now = _whole(after)
    if before is None:
        return Change(after.place, detail, None, _around_placeholder(now))
    was = _whole(before)
    return Change(after.place, detail, compare_words(masks.text(was), now, _TEXT), "")


def _whole(row: ShownRow) -> str:
    return f"{row.asks}\n→ {row.says}" if row.says else row.asks


def _around_placeholder(text: str) -> str:
    found = _PLACEHOLDER.search(text)
    if found is None:
        return text[: 2 * _AROUND]
    begin, end = max(0, found.start() - _AROUND), found.end() + _AROUND
    return f"{'… ' if begin else ''}{text[begin:end]}{' …' if end < len(text) else ''}"
