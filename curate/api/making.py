"""Whole datasets, any single step, and splits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
from pydantic import BaseModel

from curate.api.frames import prepared
from curate.curating import CurateResult, run_curate
from curate.frame import ROW
from curate.one_step import step_config
from curate.recipe import Split
from curate.splitting import SPLITS, split_rows
from curate.steps.base import Outcome, positions
from curate.steps.registry import make_step

if TYPE_CHECKING:
    from curate.synth.augmenting import AugmentResult


def step(frame: pl.LazyFrame | pl.DataFrame, name: str, **settings: Any) -> Outcome:
    """Apply any step of a recipe by its name, for example `step(frame, "contradictions")`.

    Raises:
        UsageError: there is no such step, or it does not take these settings.
    """
    config = step_config(name, settings)
    context, rows = prepared(frame)
    return make_step(config).apply(rows, context)


def split(
    frame: pl.LazyFrame | pl.DataFrame,
    *,
    validation: float = 0.05,
    test: float = 0.05,
    seed: int = 0,
    similarity: float = 0.7,
    stratify: str | Sequence[str] | None = None,
) -> dict[str, pl.LazyFrame]:
    """Return split name → rows; what is alike is in one split. Splits without rows are absent.

    Args:
        frame: rows.
        validation: share, or number from 1.
        test: share, or number from 1.
        seed: another sets other groups aside.
        similarity: rows at least this alike are one group.
        stratify: `label`, `source` … that has the same share in each split.
    """
    asked = Split.model_validate(
        {
            "validation": validation,
            "test": test,
            "seed": seed,
            "similarity": similarity,
            "stratify": stratify,
        }
    )
    context, rows = prepared(frame, loosest=similarity)
    place = positions(rows)
    assignment = split_rows(place, rows, asked, context)
    out = {}
    for number, name in enumerate(SPLITS):
        chosen = pl.DataFrame({ROW: place[assignment.split == number]})
        if chosen.height:
            out[name] = rows.join(chosen.lazy(), on=ROW, how="semi", maintain_order="left")
    return out


def run(
    recipe: str | Path | None = None,
    *overrides: str,
    dry_run: bool = False,
    cache: bool = True,
    force: bool = False,
) -> CurateResult:
    """Make the dataset that a recipe describes, as `temper curate RECIPE --set …` does.

    Args:
        recipe: its file; None: `temper.yaml` here or above.
        overrides: `key=value` pairs.
        dry_run: do everything but publish.
        cache: use and keep results below `cache/steps/`.
        force: begin although memory or disk will not do, by the plan.
    """
    from curate.recipe import CurateSection
    from evalsuite.models import ModelSection
    from workspace.recipe import load_recipe

    path = Path(recipe) if recipe is not None else None
    loaded = load_recipe(path, {"curate": CurateSection, "model": ModelSection}, overrides)
    return run_curate(loaded, loaded.workspace, dry_run=dry_run, cache=cache, force=force)


def augment(
    recipe: str | Path | None = None, *overrides: str, dry_run: bool = False
) -> AugmentResult:
    """Make the rows that a recipe's `augment` section asks for, as `temper curate augment` does."""
    from curate.recipe import CurateSection
    from curate.synth.augmenting import run_augment
    from curate.synth.recipe import AugmentSection
    from evalsuite.models import ModelSection
    from evalsuite.recipe import EvalSection
    from workspace.recipe import load_recipe

    path = Path(recipe) if recipe is not None else None
    sections: dict[str, type[BaseModel]] = {
        "curate": CurateSection,
        "model": ModelSection,
        "augment": AugmentSection,
        "evaluate": EvalSection,
    }
    loaded = load_recipe(path, sections, overrides)
    return run_augment(loaded, loaded.workspace, dry_run=dry_run)
