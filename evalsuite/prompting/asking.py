"""What `temper eval --prompts` tries, as the recipe and the workspace have it. No torch."""

from __future__ import annotations

from pathlib import Path

from evalsuite.prompting.arms import Prompting
from evalsuite.prompting.own import read_prompts
from evalsuite.prompting.section import PromptSection
from workspace.errors import DataError
from workspace.layout import Workspace
from workspace.recipe import Recipe


def prompting_of(section: PromptSection, recipe: Recipe | None, workspace: Workspace) -> Prompting:
    """Find the dataset and read the prompts.

    Raises:
        DataError: the dataset that `evaluate.prompts.dataset` names is not there, or a prompt
            cannot be read.
        UsageError: two ways of asking have one name.
    """
    base_dir = recipe.base_dir if recipe else workspace.root
    own = read_prompts(section, base_dir)
    directory, notes = _dataset(section, recipe, workspace)
    name = f"{directory.parent.name}/{directory.name}" if directory else ""
    return Prompting(section, own, directory, name, notes)


def _dataset(
    section: PromptSection, recipe: Recipe | None, workspace: Workspace
) -> tuple[Path | None, tuple[str, ...]]:
    """Return the dataset of the examples, if there is one, and what is to be said of it."""
    if section.dataset is not None:
        return workspace.dataset(section.dataset), ()
    if recipe is None:
        return None, ()
    trained_on = recipe.resolved().get("train", {}).get("dataset")
    try:
        return workspace.dataset(trained_on or recipe.name), ()
    except DataError as error:
        if not trained_on:  # none was made yet
            return None, ()
        return None, (
            f"examples: not of the rows that `train: dataset:` names, {trained_on}: {error.title}",
        )
