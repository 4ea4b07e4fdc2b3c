"""The commands that try other numbers of a step, and that write them into the recipe."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from workspace.errors import UsageError
from workspace.recipe_edit import number_text

if TYPE_CHECKING:
    from curate.trying import StepSettings
    from tui.recipes import RecipeNote

Number = float | int


def recipe_of(recipes: Sequence[RecipeNote], dataset: str, section: str) -> list[str]:
    """Return the argument that names a dataset's recipe; none where it is the workspace's own.

    Args:
        recipes: those of the workspace.
        dataset: the name of the dataset, which its recipe has too.
        section: what the recipe must have, for example `curate`.

    Raises:
        UsageError: no recipe has this name, or several have it.
    """
    found = [one for one in recipes if one.name == dataset and section in one.sections]
    if len(found) == 1:
        return list(found[0].arguments)
    if not found:
        title = f"no recipe of this workspace is called {dataset!r} and has `{section}`"
        raise UsageError(title, cure=f"Write `name: {dataset}` into the recipe it was made from.")
    files = ", ".join(one.file for one in found)
    raise UsageError(f"several recipes are called {dataset!r}", cause=f"{files}.")


def stepped(value: Number, by: int) -> Number:
    """Return the next number up or down: shares by a hundredth, counts by about a tenth.

    >>> stepped(0.8, 1), stepped(0.8, -1), stepped(36, 1), stepped(400, -1), stepped(2, 1)
    (0.81, 0.79, 39, 360, 3)
    """
    if isinstance(value, float) and abs(value) <= 1:
        return round(min(1.0, max(0.0, value + by * 0.01)), 4)
    if isinstance(value, float):
        return round(value + by * abs(value) / 10, 4)
    return max(0, value + by * max(1, math.floor(abs(value) / 10)))


def _key(step: StepSettings, key: str) -> str:
    return f"steps.{step.place}.{step.name}.{key}"


def dry_run(recipe: list[str], step: StepSettings, changed: Mapping[str, Number]) -> list[str]:
    """Return the arguments that curate with changed numbers and write no dataset."""
    told = [f"curate.{_key(step, key)}={number_text(value)}" for key, value in changed.items()]
    sets = [part for one in told for part in ("--set", one)]
    return ["curate", "run", *recipe, "--dry-run", "--json", *sets]


def write_command(recipe: list[str], step: StepSettings, key: str, value: Number) -> list[str]:
    """Return the arguments that write a number into the recipe."""
    return ["curate", "set", f"{_key(step, key)}={number_text(value)}", *recipe]
