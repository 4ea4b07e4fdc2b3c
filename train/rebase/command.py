"""`temper rebase RUN --base NEW`: for the day the base model is updated."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from workspace.context import Context, emit_json, emit_table, note
from workspace.text import plain

if TYPE_CHECKING:
    from evalsuite.verdict import AbilityResult
    from train.rebase.rebase import Rebased


def rebase(
    ctx: typer.Context,
    run: Annotated[str, typer.Argument(help="Id, name or path of a run, or `latest`.")],
    base: Annotated[str, typer.Option(help="The new base: a directory, a hub name, or `builtin`.")],
    revision: Annotated[
        str | None, typer.Option(help="Of a hub model: a branch, tag or commit.")
    ] = None,
    suites: Annotated[
        list[str] | None,
        typer.Option("--suite", help="Suite to put in place of the recipe's; repeatable."),
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Override a value for the new run."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Train a run's recipe on a new base, and hold the new model against the old, item by item.

    The same command goes on where it was stopped or killed.
    """
    from evalsuite.models.download import ensure_model
    from train.evaluation_watch import EvaluationWatch
    from train.rebase.found import find_old, new_recipe
    from train.rebase.rebase import Rebasing
    from train.terminal import Terminal
    from workspace.claims import claim
    from workspace.jobs import run_job
    from workspace.layout import Workspace
    from workspace.waiting import JobWaiter

    context: Context = ctx.obj
    given = tuple(overrides or ())
    old = find_old(run, Workspace.find())
    workspace = Workspace(old.directory.parent.parent)
    recipe = new_recipe(old, base, revision, given, context.load_recipe)
    ensure_model(recipe, context.argv)
    work = Rebasing(old, recipe, workspace, context.load_recipe, suites or (), given)
    with Terminal() as reporter, run_job(workspace, "rebase", context.argv) as job:
        waiting = partial(claim, waiter=JobWaiter(job, reporter.note))
        found = work.make(job, reporter, EvaluationWatch(job), context.argv, waiting)
    if as_json:
        emit_json(found.as_dict())
        return
    tell(found)


def tell(found: Rebased) -> None:
    """Print all four models' scores, and the verdict on the new against the old."""
    old, new = (
        {one.name: one for one in result.results.comparisons[0].verdict.abilities}
        for result in found.evaluations
    )
    columns = ["ability", "old base", "old tuned", "new base", "new tuned", "new − old"]
    columns += ["95 % interval", "verdict"]
    rows = [
        [
            one.name,
            _score(old[one.name].base, one),
            _score(one.base, one),
            _score(new[one.name].base, one),
            _score(one.tuned, one),
            *_difference(one),
            one.verdict,
        ]
        for one in found.crossed.verdict.abilities
    ]
    title = f"{found.new.name} against {found.old.name}"
    emit_table(title, columns, rows, numeric=(1, 2, 3, 4, 5))
    print(plain(found.crossed.verdict.headline))
    note("every ability is judged as one to keep: no worse than the old model by its margin")
    print(f"run       {found.new.name}")
    for path in found.crossed.reports:
        print(path)


def _score(value: float | None, one: AbilityResult) -> str:
    from evalsuite.sentences import score

    return score(value, bounded=one.bounded)


def _difference(one: AbilityResult) -> tuple[str, str]:
    from evalsuite.sentences import change

    shown = change(one.difference, bounded=one.bounded)
    if one.low is None or one.high is None:
        return shown, "–"
    low, high = (change(end, bounded=one.bounded) for end in (one.low, one.high))
    return shown, f"{low} to {high}"
