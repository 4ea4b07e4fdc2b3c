"""A whole augmentation: from a recipe to a published dataset of made rows."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import polars as pl

from curate.recipe import CurateSection
from curate.synth.cells import Cell, Cursor
from curate.synth.deficits import Deficit, find_deficits
from curate.synth.generators.base import Bench, Generator
from curate.synth.generators.registry import make_generator
from curate.synth.making import Maker, Making, Standing
from curate.synth.novelty import HeldItem, Novelty
from curate.synth.publishing import curated_from, made_table
from curate.synth.recipe import AugmentSection
from curate.synth.seeds import SeedTable, seeds_of
from curate.synth.templates import Prompts
from curate.synth.verify import Verifier
from evalsuite.asking.backends.base import Backend
from evalsuite.asking.backends.opening import open_backend
from evalsuite.asking.desk import Counts, Desk, Interrupted
from evalsuite.asking.log import RequestLog, open_log
from evalsuite.asking.purse import Purse
from evalsuite.asking.requests import Usage
from evalsuite.recipe import EvalSection
from workspace.errors import UsageError, WorkError
from workspace.files import read_json
from workspace.layout import Workspace
from workspace.text import plain

if TYPE_CHECKING:
    from curate.pipeline import Curated
    from workspace.recipe import Recipe

LOGS = ".augment"
"""Request logs are kept below `datasets/`, one directory for each made dataset."""
_SHOWN_REPLIES = 3


@dataclass(frozen=True)
class Material:
    """What rows are made from, and what they must not be."""

    seeds: SeedTable
    held: tuple[HeldItem, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reporter:
    """How an augmentation says what it is doing; every call may be ignored."""

    tell: Callable[[str], None] = lambda text: None
    """A stage begins."""
    standing: Callable[[Standing], None] = lambda standing: None
    """How far it is; after every answer."""
    stop_requested: Callable[[], bool] = lambda: False
    """Whether a signal asked for a stop."""


@dataclass(frozen=True)
class AugmentResult:
    """What an augmentation made."""

    name: str
    type: str
    path: Path | None
    """The dataset directory; None after a dry run."""
    existed: bool
    """The same rows had been published before."""
    deficits: tuple[Deficit, ...]
    accepted: dict[str, int]
    """Rows by deficit."""
    making: Making
    spent: Usage
    """Over all runs of this augmentation."""
    unsure: Usage
    counts: Counts
    notes: tuple[str, ...]
    curated: Curated | None = field(default=None, repr=False)


def run_augment(
    recipe: Recipe,
    workspace: Workspace,
    report: Reporter | None = None,
    *,
    dry_run: bool = False,
) -> AugmentResult:
    """Make the rows that a recipe asks for and publish them as a dataset.

    The same command goes on where a stopped or killed one was: answers in the log are not asked
    again, and what they cost counts against the budget.

    Args:
        recipe: has an `augment` section.
        workspace: where `datasets/` is.
        report: told what happens.
        dry_run: say what is missing, who would be asked, and send nothing.

    Raises:
        UsageError, DataError, ModelError: something given cannot be used.
        Interrupted: a stop was asked for; nothing paid for is lost.
        WorkError: the endpoint answers nobody, no row was accepted, or the disk refuses.
    """
    from curate.curating import token_model
    from curate.publish import check_replaceable, publish

    section = recipe.required("augment", AugmentSection, command="temper curate augment")
    report = report or Reporter()
    name = section.name or f"{recipe.name}-augmented"
    if not section.sources and name == (section.dataset or recipe.name):
        raise UsageError(
            "made rows would take the place of the rows that they are made from",
            where="augment.name",
            cause=f"Both datasets are called {name!r}.",
            cure="Give the made one another name; `curate.sources` can hold both.",
        )
    check_replaceable(workspace.datasets / name)
    report.tell("reading")
    evaluate = recipe.section("evaluate", EvalSection)
    suites = evaluate.suites if evaluate else ()
    material = _material(section, recipe.name, suites, workspace, recipe.base_dir)
    log = workspace.datasets / LOGS / name
    result = augment_rows(
        section, material, workspace, recipe.base_dir, log, report, dry_run=dry_run, name=name
    )
    if dry_run or result.curated is None:
        return result
    report.tell("writing")
    model, note = token_model(recipe)
    curated = result.curated
    if model is not None:
        from curate.counting import tokens_of_rows

        def counted(rows: pl.LazyFrame) -> pl.Series:
            return tokens_of_rows(rows, result.type, model, lambda count: None)

        seconds = curated.ledger.times[0].seconds
        notes = curated.ledger.times[0].notes
        curated = curated_from(
            result.making, result.type, seconds, notes, counted, tokens_by=model.name
        )
    settings = section.model_dump(mode="json", by_alias=True)
    published = publish(
        curated,
        name,
        workspace,
        settings,
        recipe.to_yaml(),
        tables={"made": made_table(result.making)},
    )
    return replace(
        result,
        path=published.path,
        existed=published.existed,
        curated=curated,
        notes=(*result.notes, note) if note else result.notes,
    )


def augment_rows(
    section: AugmentSection,
    material: Material,
    workspace: Workspace,
    base_dir: Path,
    log_directory: Path,
    report: Reporter,
    *,
    dry_run: bool = False,
    name: str = "made",
) -> AugmentResult:
    """Make rows and account for them, without publishing. Raises as `run_augment`."""
    begun = time.monotonic()
    generators = [make_generator(config) for config in section.generate]
    kind = made_type(generators, material.seeds.type)
    prompts = Prompts.load(base_dir / section.prompts if section.prompts else None)
    deficits, notes = find_deficits(section.target, material.seeds, workspace, base_dir)
    notes = [*material.notes, *notes, *endpoints(section)]
    cells = [_cell(one, generators, material.seeds, section.seed) for one in deficits]
    for cell in cells:
        if all(cursor.exhausted for cursor in cell.cursors):
            cell.next()  # says why nothing can be made
    if dry_run or not deficits:
        notes += _given_up(cells)
        if not deficits:
            notes.append("Nothing is missing.")
        return AugmentResult(
            name, kind, None, False, tuple(deficits), {}, Making(), Usage(), Usage(), Counts(),
            tuple(notes),
        )  # fmt: skip
    with open_log(log_directory) as log:
        job = _Job(section, material, cells, generators, prompts, base_dir, log, report)
        making = in_event_loop(job.run)
        purse, counts = job.purse, job.counts
        notes += _said_after(cells, making, purse, counts, log)
    if not making.made:
        raise _nothing_made(making, notes)
    curated = curated_from(making, kind, time.monotonic() - begun, notes)
    accepted = {cell.deficit.name: cell.accepted for cell in cells}
    return AugmentResult(
        name, kind, None, False, tuple(deficits), accepted, making, purse.spent, purse.unsure,
        counts, tuple(notes), curated,
    )  # fmt: skip


def _cell(deficit: Deficit, generators: Sequence[Generator], seeds: SeedTable, seed: int) -> Cell:
    cursors = [
        Cursor.of(generator, place, deficit, seeds, seed)
        for place, generator in enumerate(generators)
    ]
    return Cell(deficit, cursors)


def made_type(generators: Sequence[Generator], source: str) -> str:
    """Return the dataset type of the made rows.

    Raises:
        UsageError: the generators make rows of more than one type.
    """
    same = source if source in ("messages", "prompt_completion", "answer") else "messages"
    kinds = {one.name: same if one.makes == "same" else one.makes for one in generators}
    if len({*kinds.values()}) > 1:
        told = ", ".join(f"{name} makes {kind}" for name, kind in kinds.items())
        raise UsageError(
            "a dataset has rows of one type",
            where="augment.generate",
            cause=f"From a source of type {source}, {told}.",
            cure="Give each its own recipe, with another `augment.name`.",
        )
    return next(iter(kinds.values()))


def endpoints(section: AugmentSection) -> list[str]:
    """Say where rows go, for the card, `temper check` and the terminal."""
    return [f"Rows are shown to {one.described}." for one in section.backends]


class _Job:
    """One run of the loop with the models it asks; lives in one event loop."""

    def __init__(
        self,
        section: AugmentSection,
        material: Material,
        cells: Sequence[Cell],
        generators: Sequence[Generator],
        prompts: Prompts,
        base_dir: Path,
        log: RequestLog,
        report: Reporter,
    ) -> None:
        self.section = section
        self.material = material
        self.cells = cells
        self.generators = generators
        self.prompts = prompts
        self.base_dir = base_dir
        self.log = log
        self.report = report
        self.purse = Purse(section.budget, spent=log.spent, unsure=log.unsure)
        self.counts = Counts()

    async def run(self) -> Making:
        """Open the models, make rows, close the models."""
        section = self.section
        stopping = asyncio.Event()
        maker: Maker | None = None
        opened: list[Backend] = []

        def told() -> None:
            if maker is not None:
                maker.tell()

        def desk(config: Any) -> Desk | None:
            if config is None:
                return None
            opened.append(open_backend(config, self.base_dir))
            return Desk(
                opened[-1], self.log, self.purse, counts=self.counts, stopping=stopping, told=told
            )

        try:
            writer = desk(section.backend)
            check = section.verify.judge
            judge = desk(check.backend) if check and check.backend else writer
            self.report.tell("comparing with what is known")
            novelty = Novelty(
                self.material.seeds,
                {generator.new_in for generator in self.generators},
                self.material.held,
                threshold=section.novelty.threshold,
                leak_threshold=section.novelty.leak_threshold,
            )
            self.report.tell("making rows")
            maker = Maker(
                self.cells,
                Bench(self.prompts, section.repairs, writer, judge),
                Verifier(
                    section.verify, self.prompts, writer, judge, section.repairs, section.seed
                ),
                novelty,
                self.purse,
                counts=self.counts,
                stopping=stopping,
                batch=section.batch_rows,
                at_once=max((one.concurrency for one in opened), default=section.batch_rows),
                give_up=section.give_up,
                stop_requested=self.report.stop_requested,
                told=self.report.standing,
            )
            return await maker.run()
        finally:
            for backend in opened:
                await backend.close()


def in_event_loop(run: Callable[[], Any]) -> Any:
    """Run a coroutine to its end, also where a loop runs already (a notebook)."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(run())
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: asyncio.run(run())).result()


def _material(
    section: AugmentSection,
    recipe_name: str,
    suites: Sequence[str],
    workspace: Workspace,
    base_dir: Path,
) -> Material:
    """Read the source rows, and everything that made rows must not hold."""
    with ExitStack() as stack:
        held: list[HeldItem] = []
        if section.sources:
            frame, kind = stack.enter_context(_read_sources(section, workspace, base_dir))
            seeds = seeds_of(frame, kind)
        else:
            directory = workspace.dataset(section.dataset or recipe_name)
            kind = str(read_json(directory / "ledger.json", kind="ledger")["type"])
            seeds = seeds_of(pl.scan_parquet(directory / "train.parquet"), kind)
            held += _set_aside(directory, kind)
    names = suites if section.novelty.suites is None else section.novelty.suites
    held += held_items(names, workspace, base_dir)
    notes = [] if names else ["No evaluation suite is compared with: the recipe names none."]
    return Material(seeds, tuple(held), tuple(notes))


@contextmanager
def _read_sources(
    section: AugmentSection, workspace: Workspace, base_dir: Path
) -> Iterator[tuple[pl.LazyFrame, str]]:
    from curate.pipeline import curate_rows

    with TemporaryDirectory(prefix="augment-") as work:
        curated = curate_rows(
            CurateSection(sources=section.sources), workspace, base_dir, Path(work)
        )
        yield curated.kept, curated.type


def _set_aside(directory: Path, kind: str) -> Iterator[HeldItem]:
    """Yield the validation and test rows of the source dataset."""
    for split in ("validation", "test"):
        path = directory / f"{split}.parquet"
        if path.is_file():
            for seed in seeds_of(pl.scan_parquet(path), kind):
                yield HeldItem(f"{split} row {seed.id}", seed.question or seed.answer, seed.answer)


def held_items(suites: Sequence[str], workspace: Workspace, base_dir: Path) -> Iterator[HeldItem]:
    """Yield every item of the suites."""
    from evalsuite.tasks import find_suite, load_suite

    for name in suites:
        beside = base_dir / name
        path = find_suite(str(beside) if beside.is_file() else name, workspace)
        for task in load_suite(path).tasks:
            for item in task.items:
                yield HeldItem(f"{task.spec.name}/{item.id}", item.question, item.gold)


def _given_up(cells: Sequence[Cell]) -> list[str]:
    return [
        f"{cell.deficit.name}: {cell.missing:,} rows are still missing: {cell.given_up}."
        for cell in cells
        if cell.given_up and cell.missing
    ]


def _said_after(
    cells: Sequence[Cell], making: Making, purse: Purse, counts: Counts, log: RequestLog
) -> list[str]:
    """Say what a person should know once all is done."""
    notes = _given_up(cells)
    spent, unsure = purse.spent, purse.unsure
    if making.budget_gone:
        missing = sum(cell.missing for cell in cells)
        notes.append(
            f"The budget's {making.budget_gone} had no room for the next request; {missing:,} rows "
            "are still missing."
        )
    if spent.requests:
        money = ""
        if spent.money:
            each = spent.money / len(making.made) if making.made else 0.0
            money = f", {spent.money:.4f} in money" + (f" ({each:.6f} a row)" if each else "")
        notes.append(
            f"Spent over all runs: {spent.input_tokens:,} tokens of prompts and "
            f"{spent.output_tokens:,} of answers in {spent.requests:,} requests{money}."
        )
    if unsure.requests:
        notes.append(
            f"{unsure.requests:,} requests have no known outcome (stalls, cut connections, kills); "
            f"at most {unsure.tokens:,} tokens, {unsure.money:.4f} in money."
        )
    if counts.remembered:
        notes.append(f"{counts.remembered:,} answers were in the log and were not paid again.")
    if log.torn:
        notes.append(f"{log.torn:,} unfinished lines of a killed run are in the request log.")
    return notes


def _nothing_made(making: Making, notes: Sequence[str]) -> WorkError:
    """Show what came back: three raw replies say more than any count."""
    reasons = Counter(row.reason.value for row in making.lost)
    told = ", ".join(f"{count:,} {reason}" for reason, count in reasons.most_common())
    lines = [f"{len(making.lost):,} rows were begun: {told or 'none'}."]
    lines += [f"{row.reason}: {plain(row.detail, 160)}" for row in making.lost[:_SHOWN_REPLIES]]
    raw = [row.raw for row in making.lost if row.raw][:_SHOWN_REPLIES]
    lines += [f"the model said: {plain(text, 200)}" for text in raw]
    return WorkError(
        "no made row was accepted; nothing was published",
        cause="\n".join([*lines, *notes]),
        cure="Answers are kept in the log: change the checks, and the same command costs nothing.",
    )


__all__ = [
    "LOGS",
    "AugmentResult",
    "Interrupted",
    "Material",
    "Reporter",
    "augment_rows",
    "endpoints",
    "held_items",
    "in_event_loop",
    "made_type",
    "run_augment",
]
