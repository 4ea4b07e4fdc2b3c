"""The examples of docs/scorers.md and docs/train-rl.md are what the schema takes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from ruamel.yaml import YAML

from evalsuite.scorers import CodeScorer, TaskScorer, TaskScorerConfig
from train.recipe import TrainSection

DOCS = Path(__file__).parents[2] / "docs"
ADAPTER: TypeAdapter[TaskScorer] = TypeAdapter(TaskScorerConfig)


def blocks(name: str, language: str) -> list[str]:
    """Return the code blocks of a page."""
    text = (DOCS / name).read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def test_the_scorers_page_names_every_scorer_and_its_examples_hold() -> None:
    page = (DOCS / "scorers.md").read_text(encoding="utf-8")
    kinds = ADAPTER.json_schema()["discriminator"]["mapping"]
    assert all(f"`{kind}`" in page for kind in kinds)
    (gold,) = blocks("scorers.md", "json")
    assert CodeScorer().refusal(gold) is None and json.loads(gold)["solution"]
    recipes = [YAML().load(text) for text in blocks("scorers.md", "yaml")]
    found = [ADAPTER.validate_python(one["scorer"]) for one in recipes if "scorer" in one]
    kinds = {one.kind for one in found}
    assert kinds == {"code", "python", "judge", "pairwise", "reward_model"}


def test_the_recipes_of_the_rewards_page_are_valid() -> None:
    found: list[Any] = [YAML().load(text) for text in blocks("train-rl.md", "yaml")]
    kinds = set()
    for document in found:
        section = document.get("train") or {
            "method": {"kind": "grpo", "rewards": document["rewards"]}
        }
        kinds.add(TrainSection.model_validate(section).method.kind)
    assert kinds == {"grpo", "rft"}
