"""Rows that a recipe trains on and that are not there yet, or are being made anew."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from tui.recipes import RecipeNote
from tui.snapshot import Snapshot


class Awaited(NamedTuple):
    """What training has to wait for."""

    words: str
    arguments: tuple[str, ...]
    """Of the `temper` command that tells more."""
    role: str = ""


def others(recipe: RecipeNote) -> list[str]:
    """Return the datasets besides its own that a recipe trains on."""
    return [name for name in recipe.trains_on if name != recipe.name]


def awaited(snapshot: Snapshot, recipe: RecipeNote, made_now: Mapping[str, str]) -> Awaited | None:
    """Return what is said in place of training; None if nothing is missing.

    Args:
        snapshot: of the workspace.
        recipe: whose own rows are there.
        made_now: the datasets that are being made, each with what names its job.
    """
    if recipe.name in made_now:
        return _wait(f"New rows of {recipe.name} are", made_now[recipe.name])
    whole = {row.name for row in snapshot.datasets if row.record is not None}
    makes = {one.name for one in snapshot.recipes if "curate" in one.sections}
    for name in others(recipe):
        told = f"{recipe.name} trains on rows of {name} too, which are"
        if name in made_now:
            return _wait(told, made_now[name])
        if name not in whole and name not in makes:
            why = f"{told} not here, and no recipe here makes them."
            return Awaited(why, ("check", *recipe.arguments), "warn")
        if name not in whole:
            return Awaited("", ())  # to curate them is proposed already
    return None


def _wait(told: str, job: str) -> Awaited:
    return Awaited(f"{told} being made: wait for {job}.", ("logs", job))
