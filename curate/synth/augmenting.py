"""A whole augmentation: from a recipe to a published dataset of made rows."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from curate.synth.cells import Cell, Cursor
from curate.synth.deficits import Deficit, find_deficits
from curate.synth.generators.base import Generator
from curate.synth.generators.registry import make_generator
from curate.synth.made import Making
from curate.synth.material import Material, find_material
from curate.synth.placing import with_scorers
from curate.synth.publishing import curated_from, made_table
from curate.synth.recipe import AugmentSection
from curate.synth.seeds import SeedTable
from curate.synth.templates import Prompts
from curate.synth.told import given_up, nothing_made, said_after
from curate.synth.work import Reporter, Work, in_event_loop
from evalsuite.asking.backends.opening import check_backend
from evalsuite.asking.desk import Counts
from evalsuite.asking.log import open_log
from evalsuite.asking.requests import Usage
from evalsuite.recipe import EvalSection
from workspace.errors import UsageError
from workspace.layout import Workspace

if TYPE_CHECKING:
    from curate.pipeline import Curated
    from workspace.recipe import Recipe

_LOGS = ".augment"
"""Request logs are kept below `datasets/`, one directory for each made dataset."""


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
    section, name = check_augment(recipe, workspace, asks=not dry_run)
    report = report or Reporter()
    report.tell("reading")
    evaluate = recipe.section("evaluate", EvalSection)
    suites = evaluate.suites if evaluate else ()
    material = find_material(section, recipe.name, suites, workspace, recipe.base_dir)
    log = workspace.datasets / _LOGS / name
    result = augment_rows(
        section, material, workspace, recipe.base_dir, log, report, dry_run=dry_run, name=name
    )
    if dry_run or result.curated is None:
        return result
    report.tell("writing")
    return _published(result, section, recipe, workspace)


def check_augment(
    recipe: Recipe, workspace: Workspace, *, asks: bool = True
) -> tuple[AugmentSection, str]:
    """Refuse what can be refused before anything is read or asked.

    Returns:
        the section and the name of the dataset to make.

    Raises:
        UsageError, DataError, ModelError: something given cannot be used.
    """
    from curate.publish import check_replaceable

    section = recipe.required("augment", AugmentSection, command="temper curate augment")
    name = section.name or f"{recipe.name}-augmented"
    if not section.sources and name == (section.dataset or recipe.name):
        raise UsageError(
            "made rows would take the place of the rows that they are made from",
            where="augment.name",
            cause=f"Both datasets are called {name!r}.",
            cure="Give the made one another name; `curate.sources` can hold both.",
        )
    check_replaceable(workspace.datasets / name)
    if asks:
        for backend in section.backends:
            check_backend(backend)
    return section, name


def _published(
    result: AugmentResult, section: AugmentSection, recipe: Recipe, workspace: Workspace
) -> AugmentResult:
    """Publish what was made, with its tokens counted where the recipe's model is here."""
    from curate.curating import token_model
    from curate.publish import publish

    assert result.curated is not None  # rows were made
    curated = result.curated
    model, note = token_model(recipe)
    if model is not None:
        from curate.counting import tokens_of_rows

        def counted(rows: pl.LazyFrame) -> pl.Series:
            return tokens_of_rows(rows, result.type, model, lambda count: None)

        took = curated.ledger.times[0]
        curated = curated_from(
            result.making, result.type, took.seconds, took.notes, counted, tokens_by=model.name
        )
    published = publish(
        curated,
        result.name,
        workspace,
        section.model_dump(mode="json", by_alias=True),
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
    section, told = with_scorers(section, base_dir)
    generators = [make_generator(config) for config in section.generate]
    kind = _made_type(generators, material.seeds.type)
    prompts = Prompts.load(base_dir / section.prompts if section.prompts else None)
    deficits, notes = find_deficits(section.target, material.seeds, workspace, base_dir)
    notes = [*material.notes, *notes, *told, *_endpoints(section)]
    cells = [_cell(one, generators, material.seeds, section.seed) for one in deficits]
    for cell in cells:
        if all(cursor.exhausted for cursor in cell.cursors):
            cell.next()  # says why nothing can be made
    if dry_run or not deficits:
        notes += given_up(cells)
        if not deficits:
            notes.append("Nothing is missing.")
        return AugmentResult(
            name, kind, None, False, tuple(deficits), {}, Making(), Usage(), Usage(), Counts(),
            tuple(notes),
        )  # fmt: skip
    with open_log(log_directory) as log:
        job = Work(section, material, cells, generators, prompts, base_dir, log, report)
        making = in_event_loop(job.run)
        purse, counts = job.purse, job.counts
        notes += said_after(cells, making, purse, counts, log)
    if not making.made:
        raise nothing_made(making, notes)
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


def _made_type(generators: Sequence[Generator], source: str) -> str:
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


def _endpoints(section: AugmentSection) -> list[str]:
    """Say where rows go, for the card and the terminal."""
    return [f"Rows are shown to {one.described}." for one in section.backends]
