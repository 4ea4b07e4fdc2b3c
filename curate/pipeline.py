"""The path of the data: read → normalise → steps → split, every row accounted for on the way."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from curate.formats.read import ReadResult, read_sources
from curate.frame import DROPPED, ROW, BaseFrame, build_base, choose_type, numbered
from curate.ledger import Count, Entry, Ledger, StepTime
from curate.limits import check_breaker, check_quarantine, check_something_left
from curate.recipe import CurateSection, Split
from curate.splitting import SPLITS, Assignment, split_rows
from curate.steps.base import StepContext, positions
from curate.steps.configs import NearDuplicates
from curate.steps.registry import make_step
from workspace.layout import Workspace

_SHORT_SPLIT = 0.5
"""A split with less than this part of the rows asked for is told as a warning."""


@dataclass(frozen=True)
class Reporter:
    """How a curation says what it is doing; every call may be ignored."""

    tell: Callable[[str], None] = lambda text: None
    """A stage begins."""
    tick: Callable[[int, str], None] = lambda rows, what: None
    """Rows done so far in a long stage."""
    check_stop: Callable[[], None] = lambda: None
    """Raises if a signal asked for a stop."""


@dataclass(frozen=True)
class Curated:
    """Rows ready to be published; they live in the work directory until then."""

    type: str
    kept: pl.LazyFrame
    """The type's columns, `id`, `content_hash`, the marks, `tokens`, `group`, `split`."""
    dropped: pl.DataFrame
    """`id`, `step`, `reason`, `detail`, `duplicate_of`, `source`, `row`, then what the row held."""
    ledger: Ledger


def curate_rows(
    section: CurateSection,
    workspace: Workspace,
    base_dir: Path,
    work: Path,
    *,
    model: Path | None = None,
    report: Reporter | None = None,
) -> Curated:
    """Read, normalise, filter and split.

    Args:
        section: what to do.
        workspace: where suites are looked for.
        base_dir: what relative paths are relative to.
        work: an empty directory for everything that is too large for memory.
        model: a model directory whose tokenizer counts the tokens; None leaves them uncounted.
        report: told what happens.

    Raises:
        DataError: a source cannot be used, or no row is left.
        LimitExceeded: too many rows quarantined, or a step drops too much of a source.
    """
    report = report or Reporter()
    ledger = Ledger()
    report.tell("reading")
    begun = time.monotonic()
    read = read_sources(section.sources, base_dir, work, report.tick)
    base, quarantined = _typed(read, section, work)
    _enter_reading(ledger, read, base, time.monotonic() - begun)
    lost = pl.concat([quarantined, base.misfits], how="diagonal_relaxed")
    check_quarantine(lost, ledger.rows_read, section.max_quarantine)
    context = StepContext(
        base.scan(), base.type, workspace, base_dir, _loosest(section), report.tell
    )
    if model is not None:
        report.tell("counting tokens")
        base = _counted(base, model, work, report)
        context.base = base.scan()
        ledger.tokens_by = model.name
    frame, dropped = _apply_steps(section, base, context, ledger, report)
    check_something_left(ledger, frame)
    report.tell("splitting")
    rows = positions(frame)
    assignment = split_rows(rows, frame, section.split, context)
    kept = _with_split(frame, rows, assignment, context)
    _enter_splits(ledger, kept, assignment, section.split)
    return Curated(base.type, kept, _all_dropped(lost, dropped, base), ledger)


def _typed(read: ReadResult, section: CurateSection, work: Path) -> tuple[BaseFrame, pl.DataFrame]:
    rows, quarantined = numbered(read.rows, read.quarantine)
    kind = choose_type(rows, section.type)
    base = build_base(rows, kind, work / "base.parquet")
    return base, quarantined.drop("raw_hash", "user_id").collect()


def _loosest(section: CurateSection) -> float:
    """Return the least similarity that a step or the split will ask for."""
    wanted = [
        step.settings.threshold
        for step in section.steps
        if isinstance(step.settings, NearDuplicates)
    ]
    return min([*wanted, section.split.similarity])


def _counted(base: BaseFrame, model: Path, work: Path, report: Reporter) -> BaseFrame:
    from curate.counting import tokens_of_rows

    tokens = tokens_of_rows(base.scan(), base.type, model, lambda rows: report.tick(rows, "tokens"))
    path = work / "counted.parquet"
    frame = pl.concat([base.scan(), tokens.to_frame().lazy()], how="horizontal")
    frame.sink_parquet(path, compression="lz4")
    return BaseFrame(path, base.type, base.misfits)


def _apply_steps(
    section: CurateSection,
    base: BaseFrame,
    context: StepContext,
    ledger: Ledger,
    report: Reporter,
) -> tuple[pl.LazyFrame, pl.DataFrame]:
    frame = base.scan()
    places = frame.select(ROW, "source", _tokens(frame)).collect()
    dropped = pl.DataFrame(schema=DROPPED)
    for config in section.steps:
        report.check_stop()
        report.tell(config.name.replace("_", " "))
        begun = time.monotonic()
        outcome = make_step(config).apply(frame, context)
        name = _fresh(config.name, ledger)
        gone = outcome.dropped.with_columns(pl.lit(name).alias("step"))
        _enter_step(ledger, name, places, gone)
        ledger.times.append(StepTime(name, time.monotonic() - begun, outcome.notes))
        check_breaker(ledger, name, gone, base.scan(), context.type, section.circuit_breaker)
        places = places.join(gone.select(ROW), on=ROW, how="anti")
        dropped = pl.concat([dropped, gone])
        frame = outcome.kept
    return frame, dropped


def _fresh(name: str, ledger: Ledger) -> str:
    """A step that is there twice is `name`, then `name 2`."""
    taken = sum(1 for step in ledger.steps if step.split()[0] == name)
    return name if not taken else f"{name} {taken + 1}"


def _tokens(frame: pl.LazyFrame) -> pl.Expr:
    known = "tokens" in frame.collect_schema().names()
    return pl.col("tokens") if known else pl.lit(None, pl.Int32).alias("tokens")


def _enter_reading(ledger: Ledger, read: ReadResult, base: BaseFrame, seconds: float) -> None:
    typed = dict(base.misfits.group_by("source").len().iter_rows())
    quarantined = pl.scan_parquet(read.quarantine / "*.parquet")
    by_step = quarantined.group_by("source", "step", "reason").len().collect()
    for step in ("read", "normalise"):
        for source in read.sources:
            mine = by_step.filter((pl.col("source") == source.name) & (pl.col("step") == step))
            gone = {reason: Count(rows) for reason, rows in mine.select("reason", "len").rows()}
            before = source.read if step == "read" else _kept(ledger, "read", source.name)
            if step == "normalise" and source.name in typed:
                gone["type"] = Count(typed[source.name])
            left = before - sum(count.rows for count in gone.values())
            ledger.entries.append(
                Entry(step, source.name, Count(before), Count(left), dict(sorted(gone.items())))
            )
        ledger.times.append(StepTime(step, seconds if step == "read" else 0.0))
    ledger.sources = [
        {
            "name": source.name,
            "sha256": source.digest,
            "rows": source.read,
            "formats": dict(sorted(source.formats.items())),
            "ignored_columns": dict(sorted(source.ignored.items())),
        }
        for source in read.sources
    ]


def _kept(ledger: Ledger, step: str, source: str) -> int:
    return next(e.kept.rows for e in ledger.entries if (e.step, e.source) == (step, source))


def _enter_step(ledger: Ledger, name: str, places: pl.DataFrame, gone: pl.DataFrame) -> None:
    marked = places.join(gone.select(ROW, "reason"), on=ROW, how="left")
    previous = [entry for entry in ledger.entries if entry.step == ledger.steps[-1]]
    for before in previous:
        mine = marked.filter(pl.col("source") == before.source)
        dropped = mine.drop_nulls("reason")
        reasons = sorted(dropped["reason"].unique().to_list())
        ledger.entries.append(
            Entry(
                name,
                before.source,
                _count(mine),
                _count(mine.filter(pl.col("reason").is_null())),
                {reason: _count(dropped.filter(pl.col("reason") == reason)) for reason in reasons},
            )
        )


def _count(rows: pl.DataFrame) -> Count:
    counted = rows["tokens"].null_count() < max(rows.height, 1)
    return Count(rows.height, int(rows["tokens"].sum()) if counted else None)


def _with_split(
    frame: pl.LazyFrame, rows: Any, assignment: Assignment, context: StepContext
) -> pl.LazyFrame:
    where = pl.DataFrame(
        {
            ROW: rows,
            "split": pl.Series(
                [SPLITS[place] for place in assignment.split.tolist()], dtype=pl.String
            ),
            "group": context.ids.gather(assignment.group),
        }
    )
    joined = frame.join(where.lazy(), on=ROW, how="inner", maintain_order="left").sort(ROW)
    return joined.with_columns(_tokens(frame))


def _enter_splits(
    ledger: Ledger, kept: pl.LazyFrame, assignment: Assignment, wanted: Split
) -> None:
    sums = kept.group_by("split").agg(
        pl.len(), pl.col("tokens").sum(), pl.col("tokens").count().alias("n")
    )
    found = {row["split"]: row for row in sums.collect().iter_rows(named=True)}
    for name in SPLITS:
        if name in found:
            row = found[name]
            ledger.splits[name] = Count(row["len"], row["tokens"] if row["n"] else None)
    ledger.split_notes = tuple(_split_notes(ledger, assignment, wanted))


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
                f"divided: raise split.similarity above {wanted.similarity:g}, or remove more "
                "near-duplicates."
            )
    if set(ledger.splits) == {"train"}:
        return
    yield f"The largest group of alike rows has {assignment.largest_group:,} rows."
    if assignment.joined_rounds:
        yield (
            "Groups were joined because rows of two splits were found nearly equal "
            f"({assignment.joined_rounds} rounds)."
        )
    leaks = sum(assignment.leaks.values())
    yield (
        f"{leaks:,} rows of train or validation still hold a row of a later split."
        if leaks
        else "No row of train or validation holds a row of a later split."
    )


def _all_dropped(lost: pl.DataFrame, dropped: pl.DataFrame, base: BaseFrame) -> pl.DataFrame:
    """Return every row that was not kept, with what it held."""
    columns = [name for name in base.scan().collect_schema().names() if name not in _BOOKKEEPING]
    held = base.scan().select(ROW, "id", "source", "row", *columns)
    by_step = dropped.lazy().join(held, on=ROW, how="left", maintain_order="left").collect()
    both = pl.concat([lost, by_step], how="diagonal_relaxed")
    first = ["id", "step", "reason", "detail", "duplicate_of", "source", "row"]
    rest = [name for name in both.columns if name not in (*first, ROW)]
    return both.select(*first, *rest)


_BOOKKEEPING = frozenset(
    {ROW, "id", "source", "row", "content_hash", "user_label", "document", "conversation"}
    | {"parents", "tokens"}
)


def ledger_document(curated: Curated, digest: str) -> dict[str, Any]:
    """Return what is written to `ledger.json`."""
    document = curated.ledger.document()
    return {
        "schema_version": document.pop("schema_version"),
        "digest": digest,
        "type": curated.type,
        **document,
    }
