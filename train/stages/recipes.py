"""A stage as the recipe of a run of its own. No torch."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from train.beginning import resolved_name
from train.recipe import TrainSection
from train.reinforcement_sections import ModelReward, RewardedSection
from train.stage_sections import Stage, StagedTrainSection
from train.stages.account import read_account
from train.tempering_sections import Replay
from workspace.errors import TemperError, UsageError
from workspace.layout import Workspace
from workspace.problems import did_you_mean
from workspace.recipe import Recipe
from workspace.yaml import scalar


def stages_of(recipe: Recipe) -> Sequence[Stage]:
    """Return the stages of a recipe, in order; none where it is one run."""
    section = recipe.section("train", StagedTrainSection)
    return section.stages or () if section is not None else ()


def planned(recipe: Recipe) -> list[tuple[str, Recipe]]:
    """Return the name of each stage with its recipe as far as it is known before the first is
    begun; of a recipe that is one run, that recipe and no name.
    """
    stages = stages_of(recipe)
    if not stages:
        return [("", recipe)]
    return [(stage.name, stage_recipe(recipe, stage, {})) for stage in stages]


def settled(recipe: Recipe, workspace: Workspace) -> tuple[Recipe, list[str]]:
    """Return the recipe with the runs that stages begin with named for good, and the overrides
    that say so: once a stage has run, `latest` would be another.

    Raises:
        UsageError: there is no such run.
    """
    stages, overrides = list(stages_of(recipe)), []
    for number, stage in enumerate(stages):
        if stage.from_run == "latest":
            with naming(stage.name):
                name = resolved_name(stage.from_run, recipe.base_dir, workspace)
            stages[number] = stage.model_copy(update={"from_run": name})
            overrides.append(f"train.stages.{number}.from={scalar(name)}")
    if not overrides:
        return recipe, []
    section = recipe.required("train", StagedTrainSection, command="temper train")
    section = section.model_copy(update={"stages": tuple(stages)})
    return replace(recipe, sections={**recipe.sections, "train": section}), overrides


def stage_named(recipe: Recipe, name: str) -> Stage:
    """Return the stage of that name.

    Raises:
        UsageError: there is none.
    """
    stages = stages_of(recipe)
    for stage in stages:
        if stage.name == name:
            return stage
    names = [stage.name for stage in stages]
    raise UsageError(
        f"there is no stage {name!r}",
        where=f"{recipe.path}: train.stages",
        cause=f"There is: {', '.join(names) or 'none, the recipe is one run'}.",
        cure=did_you_mean(name, names),
    )


def stage_recipe(recipe: Recipe, stage: Stage, made: Mapping[str, Path]) -> Recipe:
    """Return the recipe of a stage's run.

    What is not made yet is left open where a plan can do without it: a later stage's model has the
    shape of the one that the first of its line begins with, and rewards are not asked.

    Args:
        recipe: with the stages.
        stage: one of them.
        made: runs of finished stages by the stages' names.
    """
    fields = {
        field.alias or name: getattr(stage, name)
        for name, field in TrainSection.model_fields.items()
    }
    fields["from"] = _beginning(recipe, stage, made)
    fields["method"] = _rewarded(recipe, stage, made)
    fields["tempering"] = stage.tempering.model_copy(
        update={"replay": _replay(recipe, stage, made)}
    )
    section = TrainSection.model_construct(**fields)
    number = list(stages_of(recipe)).index(stage)
    return replace(
        recipe,
        sections={**recipe.sections, "train": section},
        origins=_origins(recipe, number),
    )


def _beginning(recipe: Recipe, stage: Stage, made: Mapping[str, Path]) -> str | None:
    """Return the run that a stage begins with."""
    if stage.model is None:
        return stage.from_run
    if stage.model.stage in made:
        return made[stage.model.stage].name
    return _beginning(recipe, stage_named(recipe, stage.model.stage), made)


def _replay(recipe: Recipe, stage: Stage, made: Mapping[str, Path]) -> Replay | None:
    replay = stage.tempering.replay
    if stage.model is None:
        return replay
    if replay is None:
        return Replay(share=0)  # a run that begins with another replays its rows if nothing is said
    if replay.dataset is None and replay.share > 0 and stage.model.stage not in made:
        before = stage_named(recipe, stage.model.stage)
        return replay.model_copy(update={"dataset": before.dataset or recipe.name})
    return replay


def _rewarded(recipe: Recipe, stage: Stage, made: Mapping[str, Path]) -> Any:
    method = stage.method
    if not isinstance(method, RewardedSection):
        return method
    rewards = [
        reward.model_copy(update={"model": _relative(recipe, made[reward.stage]), "stage": None})
        if isinstance(reward, ModelReward) and reward.stage is not None and reward.stage in made
        else reward
        for reward in method.rewards
    ]
    return method.model_copy(update={"rewards": tuple(rewards)})


def _relative(recipe: Recipe, run: Path) -> str:
    """Return a run as the recipe would name it, so that a workspace can move."""
    return os.path.relpath(run, recipe.base_dir)


def _origins(recipe: Recipe, number: int) -> dict[str, str]:
    """Return where the values are from: the stage, else what is common to all."""
    own = f"train.stages.{number}."
    out = {key: at for key, at in recipe.origins.items() if not key.startswith("train.stages.")}
    for key, at in recipe.origins.items():
        if key.startswith(own) and (at != "default" or f"train.{key[len(own) :]}" not in out):
            out[f"train.{key[len(own) :]}"] = at
    return out


@contextmanager
def naming(stage: str) -> Iterator[None]:
    """Put the stage, if there is one, before the place of whatever is refused."""
    try:
        yield
    except TemperError as error:
        if stage:
            error.where = f"stage {stage}: {error.where}" if error.where else f"stage {stage}"
        raise


def own_recipe(recipe: Recipe, run: Path, record: Mapping[str, Any]) -> Recipe:
    """Return the recipe of a run: the whole, or the stage that it is.

    Args:
        recipe: as its file says.
        run: the run's directory.
        record: its `run.json`.

    Raises:
        UsageError: the recipe has no such stage any more.
        DataError: the record of the stages is gone or damaged.
    """
    stage = record.get("stage")
    if stage is None:
        return recipe
    workspace = Workspace(run.parent.parent)
    made = read_account(workspace.jobs / str(stage["job"])).made(workspace)
    return stage_recipe(recipe, stage_named(recipe, str(stage["name"])), made)
