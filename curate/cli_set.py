"""`temper curate set`: a number of the recipe's `curate` section written anew."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated

import typer

from workspace.context import note
from workspace.options import RecipePath

if TYPE_CHECKING:
    from workspace.context import Context


def add_to(app: typer.Typer) -> None:
    """Add the command to `temper curate`."""
    app.command("set")(set_value)


def set_value(
    ctx: typer.Context,
    assignment: Annotated[
        str,
        typer.Argument(metavar="KEY=NUMBER", help="E.g. steps.1.near_duplicates.threshold=0.85."),
    ],
    recipe: RecipePath = None,
) -> None:
    """Write a number into the recipe; comments and everything else stay as they are."""
    from workspace.errors import UsageError
    from workspace.recipe_edit import set_number

    key, _, value = assignment.partition("=")
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        cause = "It is to be KEY=NUMBER."
        raise UsageError("this is no number", where=assignment, cause=cause)
    context: Context = ctx.obj
    loaded = context.load_recipe(recipe, (f"curate.{key}={value}",))  # refuses what does not fit
    parts = tuple(int(part) if part.isdigit() else part for part in key.split("."))
    set_number(loaded.path, ("curate", *parts), number)
    note(f"{loaded.path}: curate.{key} is {value} now.")
