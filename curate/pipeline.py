"""The path of the data: read → normalise → steps → split, every row accounted for on the way."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from curate.decisions import Decisions, DecisionsStep, load_decisions
from curate.formats.read import ReadResult, read_sources
from curate.frame import (
    ALTERED,
    DROPPED,
    ROW,
    BaseFrame,
    build_base,
    choose_type,
    numbered,
    rewritten,
    scan_parts,
)
from curate.ledger import Count, Entry, Ledger, StepTime
from curate.limits import (
    check_breaker,
    check_quarantine,
    check_something_left,
    check_something_read,
    check_something_to_train,
)
from curate.recipe import CurateSection, Split
from curate.splitting import SPLITS, Assignment, split_rows
from curate.steps.balancing.configs import Mix
from curate.steps.base import Outcome, Private, Step, StepContext, positions
from curate.steps.configs import NearDuplicates
from curate.steps.mix import MixStep
from curate.steps.quality.masks import Masks, masks_of
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
    altered: pl.DataFrame
    """`id`, `step`, `what` (changed or made), `reason`, `detail`, `source`, `row`: one line for
    each step that changed or made a row."""
    ledger: Ledger
    private: tuple[Private, ...] = ()
    """What is for its owner alone; written apart from the dataset."""


def curate_rows(
    section: CurateSection,
    workspace: Workspace,
    base_dir: Path,
    work: Path,
    *,
    model: Path | None = None,
    decisions: Path | None = None,
    report: Reporter | None = None,
) -> Curated:
    """Read, normalise, filter and split.

    Args:
        section: what to do.
        workspace: where suites are looked for.
        base_dir: what relative paths are relative to.
        work: an empty directory for everything that is too large for memory.
        model: a model directory whose tokenizer counts the tokens; None leaves them uncounted.
        decisions: a file of decisions about single rows, if it is there.
        report: told what happens.

    Raises:
        DataError: a source cannot be used, or no row is left.
        LimitExceeded: too many rows quarantined, or a step drops too much of a source.
    """
    report = report or Reporter()
    ledger = Ledger()
    masks = masks_of(section.steps, base_dir)
    report.tell("reading")
    begun = time.monotonic()
    read = read_sources(section.sources, base_dir, work, report.tick)
    base, quarantined = _typed(read, section, work, masks)
    _enter_reading(ledger, read, base, time.monotonic() - begun, masks)
    lost = pl.concat([quarantined, base.misfits], how="diagonal_relaxed")
    check_quarantine(lost, ledger.rows_read, section.max_quarantine)
    context = StepContext(
        base.scan(), base.type, workspace, base_dir, _loosest(section), report.tell, model
    )
    if model is not None:
        report.tell("counting tokens")
        base = _counted(base, model, work, report)
        context.base = base.scan()
        ledger.tokens_by = model.name
    decided = load_decisions(decisions) if decisions else Decisions()
    first = [DecisionsStep(decided)] if decided.keep or decided.drop else []
    steps = [*first, *map(make_step, section.steps), *_mixing(section, read)]
    applied = _apply_steps(
        steps,
        section,
        base,
        context,
        ledger,
        report,
        masks,
        work=work,
        model=model,
        decisions=decided,
    )
    base, frame, dropped, altered = applied
    check_something_left(ledger, frame)
    report.tell("splitting")
    rows = positions(frame)
    assignment = split_rows(rows, frame, section.split, context)
    kept = _with_split(frame, rows, assignment, context)
    _enter_splits(ledger, kept, assignment, section.split)
    check_something_to_train(ledger, section.split)
    dropped = masks.rows(_all_dropped(lost, dropped, base))
    private = tuple(context.private)
    return Curated(base.type, kept, dropped, _named(altered, base), ledger, private)


def _typed(
    read: ReadResult, section: CurateSection, work: Path, masks: Masks
) -> tuple[BaseFrame, pl.DataFrame]:
    rows, quarantined = numbered(read.rows, read.quarantine)
    lost = masks.rows(quarantined.drop("raw_hash", "user_id").collect())
    check_something_read(rows, lost)
    kind = choose_type(rows, section.type)
    base = build_base(rows, kind, work / "base.parquet")
    return base, lost


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


def _mixing(section: CurateSection, read: ReadResult) -> list[Step]:
    """Return the last step, which mixes, if the sources have weights."""
    weights = [source.weight for source in section.sources if source.weight is not None]
    if not weights:
        return []
    entries = {source.name: source.entry for source in read.sources}
    names = [source.path for source in section.sources]
    return [MixStep(section.mix or Mix(), entries, weights, names)]


def _apply_steps(
    steps: Sequence[Step],
    section: CurateSection,
    base: BaseFrame,
    context: StepContext,
    ledger: Ledger,
    report: Reporter,
    masks: Masks,
    *,
    work: Path,
    model: Path | None,
    decisions: Decisions,
) -> tuple[BaseFrame, pl.LazyFrame, pl.DataFrame, pl.DataFrame]:
    """Return all rows as they are now, those that stay, those dropped, and what was altered."""
    frame = base.scan()
    places = _places(frame)
    dropped = pl.DataFrame(schema=DROPPED)
    altered = pl.DataFrame(schema=ALTERED | {"what": pl.String})
    for number, step in enumerate(steps, 1):
        report.check_stop()
        report.tell(step.name.replace("_", " "))
        begun = time.monotonic()
        outcome = decisions.spare(step.apply(frame, context), frame, context)
        name = _fresh(step.name, ledger)
        gone = outcome.dropped.with_columns(pl.lit(name).alias("step"))
        now = _altered(outcome, name)
        if now.height:
            base = rewritten(base, outcome.kept, work, f"after-step-{number}")
            base = _recounted(base, now[ROW], model)
            context.rebase(base.scan())
        frame = outcome.kept
        before, places = places, places.join(gone.select(ROW), on=ROW, how="anti")
        if now.height:
            ids = pl.concat([places[ROW], outcome.made[ROW]]).to_frame().lazy()
            frame = base.scan().join(ids, on=ROW, how="semi", maintain_order="left")
            places = _places(frame)
        _enter_step(ledger, name, before, places, gone, now)
        ledger.times.append(StepTime(name, time.monotonic() - begun, masks.notes(outcome.notes)))
        if outcome.private is not None:
            context.private.append(outcome.private)
        check_breaker(
            ledger,
            name,
            gone,
            base.scan(),
            context.type,
            section.circuit_breaker,
            hide=masks.text,
        )
        dropped = pl.concat([dropped, gone])
        altered = pl.concat([altered, now])
    return base, frame, dropped, altered


def _places(frame: pl.LazyFrame) -> pl.DataFrame:
    return frame.select(ROW, "source", _tokens(frame)).collect()


def _altered(outcome: Outcome, name: str) -> pl.DataFrame:
    both = [
        frame.with_columns(pl.lit(name).alias("step"), pl.lit(what).alias("what"))
        for what, frame in (("changed", outcome.changed), ("made", outcome.made))
    ]
    return pl.concat(both)


def _recounted(base: BaseFrame, rows: pl.Series, model: Path | None) -> BaseFrame:
    """Count the tokens of changed and new rows again, where tokens are counted at all."""
    if model is None:
        return base
    from curate.counting import tokens_of_rows

    some = base.scan().join(rows.unique().to_frame().lazy(), on=ROW, how="semi").sort(ROW)
    tokens = tokens_of_rows(some, base.type, model, lambda count: None)
    again = some.select(ROW).collect().with_columns(tokens.alias("again"))
    path = base.path.with_name(f"{base.path.stem}-counted.parquet")
    frame = base.scan().join(again.lazy(), on=ROW, how="left", maintain_order="left")
    known = pl.col(ROW).is_in(again[ROW].implode())
    counted = frame.with_columns(
        pl.when(known).then("again").otherwise("tokens").alias("tokens")
    ).drop("again")
    counted.sink_parquet(path, compression="lz4")
    base.path.unlink()
    return BaseFrame(path, base.type, base.misfits)


def _fresh(name: str, ledger: Ledger) -> str:
    """A step that is there twice is `name`, then `name 2`."""
    taken = sum(1 for step in ledger.steps if step.split()[0] == name)
    return name if not taken else f"{name} {taken + 1}"


def _tokens(frame: pl.LazyFrame) -> pl.Expr:
    known = "tokens" in frame.collect_schema().names()
    return pl.col("tokens") if known else pl.lit(None, pl.Int32).alias("tokens")


def _enter_reading(
    ledger: Ledger, read: ReadResult, base: BaseFrame, seconds: float, masks: Masks
) -> None:
    typed = dict(base.misfits.group_by("source").len().iter_rows())
    quarantined = scan_parts(read.quarantine)
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
            "ignored_columns": masks.names(source.ignored),
        }
        for source in read.sources
    ]


def _kept(ledger: Ledger, step: str, source: str) -> int:
    return next(e.kept.rows for e in ledger.entries if (e.step, e.source) == (step, source))


def _enter_step(
    ledger: Ledger,
    name: str,
    before: pl.DataFrame,
    after: pl.DataFrame,
    gone: pl.DataFrame,
    altered: pl.DataFrame,
) -> None:
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
    yield from assignment.strata_notes
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


def _named(altered: pl.DataFrame, base: BaseFrame) -> pl.DataFrame:
    """Return what was altered with the id and place of each row."""
    held = base.scan().select(ROW, "id", "source", "row")
    rows = altered.lazy().join(held, on=ROW, how="left", maintain_order="left").collect()
    return rows.select("id", "step", "what", "reason", "detail", "source", "row")


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
