"""The whole recipe: the sections of all packages, composed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, Field, create_model

from curate.recipe import CurateSection
from curate.synth.recipe import AugmentSection
from evalsuite.models.section import ModelSection
from evalsuite.recipe import EvalSection
from train.estimate.section import PlanSection
from train.stage_sections import StagedTrainSection
from workspace.describing import described_schema
from workspace.recipe import Section


def compose() -> Mapping[str, type[BaseModel]]:
    """Return section name → model, in the order a recipe is written."""
    return {
        "model": ModelSection,
        "curate": CurateSection,
        "augment": AugmentSection,
        "train": StagedTrainSection,
        "plan": PlanSection,
        "evaluate": EvalSection,
    }


def suite_schema() -> dict[str, Any]:
    """Return the JSON Schema of a suite."""
    from evalsuite.tasks.schema import Suite

    return described_schema(Suite)


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a recipe, which editors use for completion and checks."""
    fields: dict[str, Any] = {
        name: (model | None, Field(None, description=(model.__doc__ or "").split("\n")[0]))
        for name, model in compose().items()
    }
    name = Field(None, description="Names the dataset and the runs. Default: the file's name.")
    recipe = create_model("Recipe", __base__=Section, name=(str | None, name), **fields)
    return described_schema(recipe)
