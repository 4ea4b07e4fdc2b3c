"""What is entered in the ledger at each stage of a curation."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from curate.frame import IMAGES, ROW, BaseFrame
from curate.ledger import Count, Entry, Ledger, StepTime
from curate.reading import Reading
from curate.recipe import Split
from curate.splitting import SPLITS, Assignment
from curate.steps.quality.masks import Masks

_SHORT_SPLIT = 0.5
"""A split with less than this part of the rows asked for is told as a warning."""


def enter_reading(
    ledger: Ledger, reading: Reading, seconds: float, masks: Masks, *, from_cache: bool
) -> None:
    """Enter the rows of every file, and those that could not be used.

    Args:
        ledger: gets the entries of `read` and `normalise`.
        reading: what was read.
        seconds: how long that took.
        masks: hide what the names of columns may give away.
        from_cache: it was not read again.
    """
    typed = dict(reading.base.misfits.group_by("source").len().iter_rows())
    by_step = reading.lost.group_by("source", "step", "reason").len()
    for step in ("read", "normalise"):
        for source in reading.sources:
            mine = by_step.filter((pl.col("source") == source.name) & (pl.col("step") == step))
            gone = {reason: Count(rows) for reason, rows in mine.select("reason", "len").rows()}
            before = source.read if step == "read" else _kept(ledger, "read", source.name)
            if step == "normalise" and source.name in typed:
                gone["type"] = Count(typed[source.name])
            left = before - sum(count.rows for count in gone.values())
            ledger.entries.append(
                Entry(step, source.name, Count(before), Count(left), dict(sorted(gone.items())))
            )
        notes = _pictures_told(reading.base) if step == "normalise" else ()
        ledger.times.append(
            StepTime(step, seconds if step == "read" else 0.0, notes, from_cache=from_cache)
        )
    ledger.sources = [
        {
            "name": source.name,
            "sha256": source.digest,
            "rows": source.read,
            "formats": dict(sorted(source.formats.items())),
            "detected": [
                {**one.document(), "columns": [masks.mark(column) for column in one.columns]}
                for one in source.detected
            ],
            "ignored_columns": masks.names(source.ignored),
            **({"dataset": dict(source.dataset)} if source.dataset else {}),
        }
        for source in reading.sources
    ]


def _pictures_told(base: BaseFrame) -> tuple[str, ...]:
    if IMAGES not in base.scan().collect_schema().names():
        return ()
    lists = pl.col(IMAGES).list
    shown = lists.eval(pl.element().struct.field("digest"))
    counts = base.scan().select(
        rows=(lists.len() > 0).sum(),
        images=lists.len().sum(),
        other=shown.explode().drop_nulls().n_unique(),
    )
    rows, images, other = counts.collect().row(0)
    return (
        f"{rows:,} rows have {images:,} images, {other:,} of them different; where tokens are "
        "counted, those of images are not.",
    )


def _kept(ledger: Ledger, step: str, source: str) -> int:
    return next(e.kept.rows for e in ledger.entries if (e.step, e.source) == (step, source))


def enter_step(
    ledger: Ledger,
    name: str,
    before: pl.DataFrame,
    after: pl.DataFrame,
    gone: pl.DataFrame,
    altered: pl.DataFrame,
) -> None:
    """Enter what a step did to the rows of each source.

    Args:
        ledger: gets the entries.
        name: of the step.
        before: `_row`, `source`, `tokens` of the rows that it was given.
        after: the same of those that it left.
        gone: `_row` and `reason` of those that it dropped.
        altered: `_row`, `reason`, `what` of those that it changed or made.
    """
    dropped = before.join(gone.select(ROW, "reason"), on=ROW, how="inner")
    now = after.join(altered.select(ROW, "reason", "what"), on=ROW, how="inner")
    for previous in [entry for entry in ledger.entries if entry.step == ledger.steps[-1]]:
        mine = pl.col("source") == previous.source
        here = now.filter(mine)
        ledger.entries.append(
            Entry(
                name,
                previous.source,
                _count(before.filter(mine)),
                _count(after.filter(mine)),
                _reasons(dropped.filter(mine)),
                made=_reasons(here.filter(pl.col("what") == "made")),
                changed=_reasons(here.filter(pl.col("what") == "changed")),
            )
        )


def _reasons(rows: pl.DataFrame) -> dict[str, Count]:
    reasons = sorted(rows["reason"].unique().to_list())
    return {reason: _count(rows.filter(pl.col("reason") == reason)) for reason in reasons}


def _count(rows: pl.DataFrame) -> Count:
    counted = rows["tokens"].null_count() < max(rows.height, 1)
    return Count(rows.height, int(rows["tokens"].sum()) if counted else None)


def enter_splits(ledger: Ledger, kept: pl.LazyFrame, assignment: Assignment, wanted: Split) -> None:
    """Enter the rows and tokens of each split, and what a person should know of it."""
    sums = kept.group_by("split").agg(
        pl.len(), pl.col("tokens").sum(), pl.col("tokens").count().alias("n")
    )
    found = {row["split"]: row for row in sums.collect().iter_rows(named=True)}
    for name in SPLITS:
        if name in found:
            row = found[name]
            ledger.splits[name] = Count(row["len"], row["tokens"] if row["n"] else None)
    ledger.split_notes = tuple(_split_notes(ledger, assignment, wanted))


def _way_out(wanted: Split) -> str:
    """Return what parts groups that are too large."""
    more = "remove more near-duplicates"
    if wanted.similarity == 1:  # what is tied now has one prompt or document, or one holds another
        return more
    return f"raise split.similarity above {wanted.similarity:g}, or {more}"


def _split_notes(ledger: Ledger, assignment: Assignment, wanted: Split) -> Iterable[str]:
    if not wanted.validation and not wanted.test:
        return
    total = sum(count.rows for count in ledger.splits.values())
    for name in ("validation", "test"):
        share = getattr(wanted, name)
        asked = round(share * total) if share < 1 else int(share)
        got = ledger.splits[name].rows if name in ledger.splits else 0
        if got < asked * _SHORT_SPLIT:
            yield (
                f"WARNING: {name} has {got:,} rows; {asked:,} were asked for. The largest group of "
                f"alike rows has {assignment.largest_group:,} of {total:,}, and a group is never "
                f"divided: {_way_out(wanted)}."
            )
    if set(ledger.splits) == {"train"}:
        return
    yield from assignment.strata_notes
    largest = assignment.largest_group
    yield (
        f"The largest group of alike rows has {largest:,} rows."
        if largest > 1
        else "No two rows are alike."
    )
    if assignment.joined_rounds:
        times = "once" if assignment.joined_rounds == 1 else f"{assignment.joined_rounds} times"
        yield f"Groups were joined {times}: rows of two splits were found nearly equal."
    leaks = sum(assignment.leaks.values())
    yield (
        f"{leaks:,} rows of train or validation still hold a row of a later split."
        if leaks
        else "No row of train or validation holds a row of a later split."
    )
