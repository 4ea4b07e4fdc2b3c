"""The path of the data: read → normalise → steps → split, every row accounted for on the way."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from curate.accounting import enter_reading, enter_splits
from curate.applying import Rows, Steps, tokens_of
from curate.caching.arrays import load_arrays, save_arrays
from curate.caching.memory import Memory
from curate.caching.store import Store
from curate.decisions import Decisions, DecisionsStep, load_decisions
from curate.edits import EditsStep
from curate.evidence import PARENTS, Evidence
from curate.formats.read import SourceCount
from curate.frame import ROW, BaseFrame
from curate.ledger import Ledger
from curate.limits import (
    check_breaker,
    check_quarantine,
    check_something_left,
    check_something_to_train,
)
from curate.reading import Reading, read_base
from curate.recipe import CurateSection
from curate.sinking import sink
from curate.splitting import SPLITS, Assignment, split_rows
from curate.steps.balancing.configs import Mix
from curate.steps.base import Private, Step, StepContext, positions
from curate.steps.configs import NearDuplicates
from curate.steps.quality.masks import Masks, masks_of
from curate.steps.registry import make_step
from workspace.layout import Workspace

if TYPE_CHECKING:
    from curate.planning.plan import CurationPlan


@dataclass(frozen=True)
class Reporter:
    """How a curation says what it is doing; every call may be ignored."""

    tell: Callable[[str], None] = lambda text: None
    """A stage begins."""
    tick: Callable[[int, str], None] = lambda rows, what: None
    """Rows done so far in a long stage."""
    check_stop: Callable[[], None] = lambda: None
    """Raises if a signal asked for a stop."""
    advance: Callable[[int, int, str], None] = lambda done, total, what: None
    """Done so far of how many, and what they are, in a stage whose end is known."""
    plan: Callable[[CurationPlan], None] = lambda plan: None
    """What the work is expected to take, before it begins."""


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
    images: Path | None = None
    """Bytes of the images of the rows; None where no row has one."""
    private: tuple[Private, ...] = ()
    """What is for its owner alone; written apart from the dataset."""
    notes: tuple[str, ...] = ()
    """What a person should know of this run, such as what came from the cache; not of the rows."""
    evidence: Evidence | None = None
    """What the report shows beside the rows; None: nothing was read, the rows were made."""
    parents: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=PARENTS))
    """A few of the rows that made rows come from, where they are not rows of this dataset."""


def curate_rows(
    section: CurateSection,
    workspace: Workspace,
    base_dir: Path,
    work: Path,
    *,
    model: Path | None = None,
    decisions: Path | None = None,
    report: Reporter | None = None,
    cache: Store | None = None,
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
        cache: where results of earlier curations are; the rows are the same without it.

    Raises:
        DataError: a source cannot be used, or no row is left.
        LimitExceeded: too many rows quarantined, or a step drops too much of a source.
    """
    report = report or Reporter()
    ledger = Ledger()
    memory = Memory(cache, work, report.tell)
    masks = masks_of(section.steps, base_dir)
    reading = _read(section, base_dir, work, memory, masks, ledger, report)
    lost = pl.concat([masks.rows(reading.lost), reading.base.misfits], how="diagonal_relaxed")
    check_quarantine(lost, ledger.rows_read, section.max_quarantine)
    base = reading.base
    if model is not None:
        base = _counted(base, model, work, report, memory, ledger)
    read_rows = base.scan()
    context = StepContext(
        base.scan(),
        base.type,
        workspace,
        base_dir,
        _loosest(section),
        _telling(report),
        model,
        recall=memory.shared,
        advance=report.advance,
        check_stop=report.check_stop,
    )
    decided = load_decisions(decisions) if decisions else Decisions()
    check = _breaker(section, ledger, base.type, masks)
    steps = Steps(context, memory, ledger, masks, work, decided, report.check_stop, check)
    rows, dropped, altered = steps.apply(_steps(section, decided, reading.sources), base)
    check_something_left(ledger, rows.frame)
    report.check_stop()
    report.tell("splitting")
    kept = _split(rows, section, context, memory, ledger)
    check_something_to_train(ledger, section.split)
    dropped = masks.rows(_all_dropped(lost, dropped, rows.base))
    ledger.from_cache = tuple(memory.recalled)
    return Curated(
        type=base.type,
        kept=kept,
        dropped=dropped,
        altered=masks.rows(_named(altered, rows.base)),
        ledger=ledger,
        images=reading.images if reading.images.is_file() else None,
        private=tuple(context.private),
        notes=memory.notes(),
        evidence=Evidence.of(read_rows, section, model, masks, context),
    )


def _read(
    section: CurateSection,
    base_dir: Path,
    work: Path,
    memory: Memory,
    masks: Masks,
    ledger: Ledger,
    report: Reporter,
) -> Reading:
    """Read the sources, or take them from the cache, and enter them."""
    report.tell("reading")
    begun = time.monotonic()
    reading = read_base(section, base_dir, work, memory, masks, report.tick, report.check_stop)
    found = bool(memory.recalled)
    enter_reading(ledger, reading, time.monotonic() - begun, masks, from_cache=found)
    return reading


def _telling(report: Reporter) -> Callable[[str], None]:
    def tell(text: str) -> None:
        report.check_stop()
        report.tell(text)

    return tell


def _steps(
    section: CurateSection, decided: Decisions, sources: tuple[SourceCount, ...]
) -> list[Step]:
    first: list[Step] = [DecisionsStep(decided)] if decided.keep or decided.drop else []
    first += [EditsStep(decided.edit)] if decided.edit else []
    return [*first, *map(make_step, section.steps), *_mixing(section, sources)]


def _breaker(
    section: CurateSection, ledger: Ledger, kind: str, masks: Masks
) -> Callable[[str, pl.DataFrame, BaseFrame], None]:
    def check(name: str, gone: pl.DataFrame, base: BaseFrame) -> None:
        check_breaker(
            ledger,
            name,
            gone,
            base.scan(),
            kind,
            section.circuit_breaker,
            hide=masks.text,
        )

    return check


def _loosest(section: CurateSection) -> float:
    """Return the least similarity that a step or the split will ask for."""
    wanted = [
        step.settings.threshold
        for step in section.steps
        if isinstance(step.settings, NearDuplicates)
    ]
    return min([*wanted, section.split.similarity])


def _counted(
    base: BaseFrame, model: Path, work: Path, report: Reporter, memory: Memory, ledger: Ledger
) -> BaseFrame:
    """Return the rows with their tokens counted."""
    from curate.counting import tokenizer_digest, tokens_of_rows

    report.tell("counting tokens")
    ledger.tokens_by = model.name
    ledger.tokenizer = tokenizer_digest(model)
    key = memory.of_base("tokens", ledger.tokenizer)

    def count() -> Path:
        total = base.scan().select(pl.len()).collect().item()
        tokens = tokens_of_rows(
            base.scan(), base.type, model, lambda rows: report.advance(rows, total, "rows")
        )
        path = work / "counted.parquet"
        frame = pl.concat([base.scan(), tokens.to_frame().lazy()], how="horizontal")
        sink(frame, path, check=report.check_stop)
        return path

    path = memory.remembered_file("token counts", key, count)
    if memory.base_key is not None:
        memory.base_key = memory.key("rows", memory.base_key, ledger.tokenizer)
    return BaseFrame(path, base.type, base.misfits)


def _mixing(section: CurateSection, sources: tuple[SourceCount, ...]) -> list[Step]:
    """Return the last step, which mixes, if the sources have weights."""
    weights = [source.weight for source in section.sources if source.weight is not None]
    if not weights:
        return []
    from curate.steps.mix import MixStep

    entries = {source.name: source.entry for source in sources}
    names = [source.name for source in section.sources]
    return [MixStep(section.mix or Mix(), entries, weights, names)]


def _split(
    rows: Rows, section: CurateSection, context: StepContext, memory: Memory, ledger: Ledger
) -> pl.LazyFrame:
    """Return the kept rows, each with its split and group, and enter them."""
    wanted = section.split
    held = positions(rows.frame)
    key = None
    if rows.known and (wanted.validation or wanted.test):
        settings = wanted.model_dump(mode="json")
        key = memory.of_base("split", rows.digest, settings, context.loosest)
    assignment = memory.remembered(
        "split",
        key,
        lambda: split_rows(held, rows.frame, wanted, context),
        save_arrays,
        lambda directory: load_arrays(directory, Assignment),
    )
    kept = _with_split(rows.frame, held, assignment, context)
    if rows.base.held is not None:  # joined once, not each time that it is asked
        kept = kept.collect().lazy()
    enter_splits(ledger, kept, assignment, wanted)
    return kept


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
    # Rows that stand in their order already are told side by side: polars would hold all of them
    # in memory to join or to sort.
    if frame.select(ROW).collect()[ROW].equals(where[ROW]):
        told = pl.concat([frame, where.drop(ROW).lazy()], how="horizontal")
    else:
        told = frame.join(where.lazy(), on=ROW, how="inner", maintain_order="left").sort(ROW)
    return told.with_columns(tokens_of(frame))


def _all_dropped(lost: pl.DataFrame, dropped: pl.DataFrame, base: BaseFrame) -> pl.DataFrame:
    """Return every row that was not kept, with what it held."""
    columns = [name for name in base.scan().collect_schema().names() if name not in _BOOKKEEPING]
    # Only rows that were dropped: a join with all of them would hold all of them in memory.
    wanted = dropped.select(ROW).unique().lazy()
    held = base.scan().select(ROW, "id", "source", "row", *columns)
    gone = held.join(wanted, on=ROW, how="semi").collect()
    by_step = dropped.join(gone, on=ROW, how="left", maintain_order="left")
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
    {ROW, "id", "source", "row", "content_hash", "user_label", "topic", "document", "conversation"}
    | {"parents", "tokens", "images", "canary"}
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
