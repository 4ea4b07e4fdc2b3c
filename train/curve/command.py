"""`temper curve`: how much data is enough."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from workspace.context import Context, emit_json, emit_table, note
from workspace.detaching import run_again_detached
from workspace.options import AsJson, Detach, Overrides, RecipePath

if TYPE_CHECKING:
    from train.curve.curve import Curve


def curve(
    ctx: typer.Context,
    recipe: RecipePath = None,
    overrides: Overrides = None,
    detach: Detach = False,
    as_json: AsJson = False,
) -> None:
    """Train on 10, 30 and 100 % of the rows, measure each on the target suites, and say what
    twice the rows would bring.

    Costs 1.4 times the training. The same command goes on where it was stopped or killed.
    """
    from evalsuite.models.download import ensure_model
    from train.curve.curve import CurveMaker
    from train.evaluation_watch import EvaluationWatch
    from train.teacher import ensure_teacher
    from train.terminal import Terminal
    from workspace.jobs import run_job

    context: Context = ctx.obj
    given = tuple(overrides or ())
    loaded = context.load_recipe(recipe, given)
    ensure_model(loaded, context.argv)
    ensure_teacher(loaded, context.argv)
    maker = CurveMaker(loaded, loaded.workspace, context.load_recipe, given)
    if detach:
        run_again_detached(context, loaded.workspace, "curve", doing="training", as_json=as_json)
        return
    with Terminal() as reporter, run_job(loaded.workspace, "curve", context.argv) as job:
        found = maker.make(job, reporter, EvaluationWatch(job), context.argv)
    if as_json:
        emit_json(found.as_dict())
        return
    tell(found)


def tell(found: Curve) -> None:
    """Print a curve with its outlook."""
    for one in found.abilities:
        rows = [
            [
                f"{point.share:.0%}",
                f"{point.rows:,}",
                f"{point.steps:,}",
                f"{point.score:.3f}",
                f"{point.low:.3f} to {point.high:.3f}",
                point.run,
            ]
            for point in one.points
        ]
        title = f"{one.ability}, {one.items:,} items"
        columns = ["share", "rows", "steps", "score", "95 % interval", "run"]
        emit_table(title, columns, rows, numeric=(0, 1, 2, 3))
        print(f"{one.outlook.verdict}: {one.outlook.sentence}")
    note(f"steps: {found.steps_rule}; intervals are over items: another seed may move each point")
    print(found.directory / "curve.json")
