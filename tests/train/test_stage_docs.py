"""The recipes of docs/train-stages.md and the example of stages are what the schema takes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from curate.recipe import CurateSection
from evalsuite.models import ModelSection
from evalsuite.recipe import EvalSection
from train.stage_sections import StagedTrainSection
from train.stages import stages_of
from workspace.recipe import load_recipe

ROOT = Path(__file__).parents[2]
SECTIONS = {
    "model": ModelSection,
    "curate": CurateSection,
    "train": StagedTrainSection,
    "evaluate": EvalSection,
}


def blocks() -> list[Any]:
    """Return the recipes on the page."""
    text = (ROOT / "docs/train-stages.md").read_text(encoding="utf-8")
    return [YAML().load(block) for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)]


def test_the_recipes_of_the_page_are_valid() -> None:
    sections = [StagedTrainSection.model_validate(document["train"]) for document in blocks()]
    assert [stage.name for stage in sections[0].stages or ()] == ["sft", "reward", "policy"]
    assert sections[1].from_run == "triage" and sections[1].tempering.replay is not None
    assert sections[1].tempering.replay.share == 0.3


def test_the_example_is_three_stages_with_the_reward_of_the_second() -> None:
    recipe = load_recipe(ROOT / "examples/methods/rlhf.yaml", SECTIONS, [])
    sft, reward, policy = stages_of(recipe)
    assert (sft.method.kind, reward.method.kind, policy.method.kind) == ("sft", "reward", "rloo")
    assert policy.reward_stages == [(0, "reward")]
    load_recipe(ROOT / "examples/methods/rlhf-choices.yaml", SECTIONS, [])
