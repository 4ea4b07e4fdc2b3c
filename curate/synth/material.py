"""What rows are made from, and everything that made rows must not hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from curate.recipe import CurateSection
from curate.synth.novelty import HeldItem
from curate.synth.recipe import AugmentSection
from curate.synth.seeds import SeedTable, seeds_of
from workspace.files import read_json
from workspace.layout import Workspace


@dataclass(frozen=True)
class Material:
    """What rows are made from, and what they must not be."""

    seeds: SeedTable
    held: tuple[HeldItem, ...]
    notes: tuple[str, ...] = ()


def find_material(
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
    held += _held_items(names, workspace, base_dir)
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


def _held_items(suites: Sequence[str], workspace: Workspace, base_dir: Path) -> Iterator[HeldItem]:
    """Yield every item of the suites."""
    from evalsuite.tasks import find_suite, load_suite

    for name in suites:
        beside = base_dir / name
        path = find_suite(str(beside) if beside.is_file() else name, workspace)
        for task in load_suite(path).tasks:
            for item in task.items:
                place = f"{task.spec.name}/{item.id}"
                yield HeldItem(place, item.question, item.gold, f"{name}/{task.spec.name}")
