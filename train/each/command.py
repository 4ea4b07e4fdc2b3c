"""`train.each` at the command line: what `temper train` and `plan` do with groups."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workspace.context import Context, emit_json, emit_table, note
from workspace.text import plain

if TYPE_CHECKING:
    from train.each.plan import WholePlan
    from workspace.recipe import Recipe

_SHOWN = 50


def train_groups(
    context: Context,
    recipe: Recipe,
    overrides: Sequence[str],
    *,
    name: str | None,
    as_json: bool,
) -> None:
    """Train every group of a recipe and tell where they are."""
    from evalsuite.models.download import ensure_model
    from train.each.run import run_each
    from train.teacher import ensure_teacher
    from train.terminal import Terminal
    from workspace.jobs import run_job

    workspace = recipe.workspace
    with Terminal() as reporter, run_job(workspace, "train", context.argv) as job:
        ensure_model(recipe, context.argv)
        ensure_teacher(recipe, context.argv)
        run = run_each(
            recipe, workspace, job, context.load_recipe, reporter, name=name, overrides=overrides
        )
    tell(run, as_json=as_json)


def tell(run: Path, *, as_json: bool) -> None:
    """Print the groups of a finished whole and what to do with them."""
    from train.record import read_record

    record = read_record(run)
    groups: list[dict[str, Any]] = record["groups"]
    if as_json:
        emit_json({"run": run.name, "path": str(run), "groups": groups, "each": record["each"]})
        return
    emit_table(
        f"groups of {run.name}",
        ["group", "rows", "run"],
        [[plain(one["value"], 60), f"{one['rows']:,}", one["run"]] for one in groups[:_SHOWN]],
        numeric=(1,),
        whole=(2,),
    )
    _tell_more(len(groups))
    print(f"run       {run.name}")
    print(f"evaluate  temper eval {run.name}")
    print(f"serve     temper serve {run.name}")


def print_groups(whole: WholePlan) -> None:
    """Print what every group's run will be, and what is left out."""
    emit_table(
        f"one adapter for each {whole.groups.column}",
        ["group", "rows", "kept", "epochs", "steps", "tokens", "tokens trained"],
        [
            [
                plain(one.value, 60),
                f"{one.rows:,}",
                f"{one.rows_kept:,}",
                f"{one.epochs:g}",
                f"{one.steps:,}",
                f"{one.tokens:,}",
                f"{one.tokens_trained:,}",
            ]
            for one in whole.plans[:_SHOWN]
        ],
        numeric=(1, 2, 3, 4, 5, 6),
    )
    _tell_more(len(whole.plans))
    for small in whole.groups.small[:_SHOWN]:
        print(f"! {plain(small.value, 60)!r} is too small and left out: {small.rows:,} rows")
    if whole.groups.without:
        count = len(whole.groups.without)
        print(f"! {count:,} rows have no {whole.groups.column} and are left out")
    print(
        f"{len(whole.plans):,} groups, {whole.steps:,} steps, "
        f"{sum(one.tokens for one in whole.plans):,} tokens; the base is loaded once"
    )


def _tell_more(count: int) -> None:
    if count > _SHOWN:
        note(f"and {count - _SHOWN:,} groups more; --json has all")
