"""A whole curation: from a recipe to a published dataset."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from curate.ledger import Ledger
from curate.leftovers import WORK_PREFIX, holding, sweep
from curate.recipe import CurateSection
from workspace.files import telling_disk_errors
from workspace.layout import Workspace

if TYPE_CHECKING:
    from curate.pipeline import Curated, Reporter
    from curate.planning.plan import CurationPlan
    from curate.publish import Published
    from workspace.recipe import Recipe


@dataclass(frozen=True)
class CurateResult:
    """What a curation made."""

    name: str
    type: str
    path: Path | None
    """The dataset directory; None after a dry run."""
    digest: str
    existed: bool
    """The same rows had been published before."""
    ledger: Ledger
    notes: tuple[str, ...]
    """What a person should know beside the ledger."""


class Checked(NamedTuple):
    """What is known of a curation before it begins."""

    section: CurateSection
    plan: CurationPlan
    model: Path | None
    """Counts the tokens."""
    note: str
    """Why no tokens are counted, or empty."""


def run_curate(
    recipe: Recipe,
    workspace: Workspace,
    report: Reporter | None = None,
    *,
    dry_run: bool = False,
    cache: bool = True,
    force: bool = False,
) -> CurateResult:
    """Make the dataset that a recipe describes and point `datasets/<name>/current` at it.

    Args:
        recipe: has a `curate` section; its `model`, if local, counts the tokens.
        workspace: where `datasets/` is.
        report: told what happens.
        dry_run: do everything but publish.
        cache: take from `cache/steps/` what an earlier curation computed of the same, and keep
            there what this one computes. The rows are the same without it.
        force: begin although the plan says that memory or disk will not do.

    Raises:
        UsageError: the recipe has no `curate` section.
        DataError: a source cannot be used, or no row is left.
        LimitExceeded: too many rows quarantined, a step drops too much of a source, or the sources
            are too large for this machine.
        WorkError: the ledger does not balance, or the disk refuses.
    """
    from curate.caching.store import Store
    from curate.enough import fitness_notes
    from curate.pipeline import Reporter, curate_rows
    from curate.publish import logical_digest

    section, plan, model, note = check_curate(recipe, workspace, force=True)
    settings = section.model_dump(mode="json")
    report = report or Reporter()
    report.plan(plan)
    if not force:
        plan.check()
    path: Path | None = None
    existed = False
    with work_directory(workspace.make(workspace.datasets)) as work:
        swept = sweep(workspace.datasets, work)
        curated = curate_rows(
            section,
            workspace,
            recipe.base_dir,
            work,
            model=model,
            decisions=decisions_file(recipe.base_dir, recipe.name, section.decisions),
            report=report,
            cache=Store(steps_cache(workspace)) if cache else None,
        )
        curated.ledger.split_notes += fitness_notes(
            curated.kept, curated.type, curated.ledger.splits
        )
        if dry_run:
            digest = logical_digest(curated, settings)
        else:
            written = _write(curated, recipe, settings, workspace, report)
            path, digest, existed = written.path, written.digest, written.existed
    if dry_run:
        with suppress(OSError):  # made for the work alone, if nothing is in it
            workspace.datasets.rmdir()
    notes = (*swept, *([note] if note else []), *_said(curated))
    return CurateResult(recipe.name, curated.type, path, digest, existed, curated.ledger, notes)


def check_curate(recipe: Recipe, workspace: Workspace, *, force: bool = False) -> Checked:
    """Refuse what can be refused before a row is read.

    Args:
        recipe: has a `curate` section.
        workspace: where `datasets/` is.
        force: whatever memory or disk will not do.

    Raises:
        UsageError, DataError, LimitExceeded: as `run_curate`.
    """
    from curate.planning.plan import plan_curation
    from curate.publish import check_replaceable
    from curate.steps.quality.masks import masks_of

    section = recipe.required("curate", CurateSection, command="temper curate")
    model, note = token_model(recipe)
    check_replaceable(workspace.datasets / recipe.name)
    masks_of(section.steps, recipe.base_dir)  # what it cannot load ends the work before it begins
    plan = plan_curation(section, recipe.base_dir, workspace.root, counts_tokens=model is not None)
    if not force:
        plan.check()
    return Checked(section, plan, model, note)


def _write(
    curated: Curated,
    recipe: Recipe,
    settings: Mapping[str, Any],
    workspace: Workspace,
    report: Reporter,
) -> Published:
    from curate.private import write_private
    from curate.publish import publish

    report.tell("writing")
    write_private(curated.private)
    yaml, check = recipe.to_yaml(), report.check_stop
    return publish(curated, recipe.name, workspace, settings, yaml, check=check)


def _said(curated: Curated) -> Iterator[str]:
    """Yield what the steps, the split and the cache have to say."""
    for time in curated.ledger.times:
        yield from time.notes
    yield from curated.ledger.split_notes
    yield from curated.notes


def steps_cache(workspace: Workspace) -> Path:
    """Return where results of curations are kept for later ones."""
    return workspace.cache / "steps"


def decisions_file(base_dir: Path, name: str, given: str | None) -> Path:
    """Return where the decisions about a recipe's rows are kept."""
    return base_dir / (given or f"decisions/{name}.jsonl")


@contextmanager
def work_directory(parent: Path) -> Iterator[Path]:
    """Yield an empty directory on the disk of the results; it is gone afterwards."""
    with telling_disk_errors(parent):
        work = Path(tempfile.mkdtemp(dir=parent, prefix=WORK_PREFIX))
    with holding(work):
        try:
            with telling_disk_errors(work):  # inside: a full disk shows only while it is full
                yield work
        finally:
            shutil.rmtree(work, ignore_errors=True)


def token_model(recipe: Recipe) -> tuple[Path | None, str]:
    """Return the model directory to count tokens with, or None and why not.

    A hub model is not downloaded only to count.
    """
    from evalsuite.models import ModelSection, resolve_model
    from workspace.errors import ModelError

    model = recipe.section("model", ModelSection)
    if model is None:
        return None, "Tokens are not counted: the recipe names no model."
    if model.path != "builtin" and not (recipe.base_dir / Path(model.path).expanduser()).is_dir():
        return None, f"Tokens are not counted: {model.path} is not on this disk."
    try:
        return resolve_model(model, recipe.base_dir).path, ""
    except ModelError as error:
        return None, f"Tokens are not counted: {error.title}."
