"""`train.stages` as recipes say it: what is laid over what, and what is refused, and where."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.train.test_stages import STAGES, Staging, load
from train.adapter_sections import FullAdapter, LoraAdapter
from train.recipe import TrainSection
from train.stages import planned, stages_of
from workspace.errors import DataError, RecipeError, UsageError
from workspace.recipe import Recipe


@pytest.fixture
def staging(bench: Any) -> Staging:
    return Staging(bench)


def changed(number: int, **changes: Any) -> list[dict[str, Any]]:
    """The three stages with one of them changed."""
    stages = [dict(stage) for stage in STAGES]
    stages[number] |= changes
    return stages


def written(staging: Staging, stages: Any, **common: Any) -> Recipe:
    """The recipe, written as people write it, so that problems have lines."""
    staging.recipe()
    path = staging.workspace.root / "temper.yaml"
    document = YAML(typ="safe").load(path)
    document["train"] |= {**common, "stages": stages}
    YAML().dump(document, path)
    return load(path, ())


def line_of(staging: Staging, text: str, after: str = "") -> int:
    lines = (staging.workspace.root / "temper.yaml").read_text().splitlines()
    start = next(i for i, line in enumerate(lines) if after in line)
    return next(i for i, line in enumerate(lines) if i >= start and text in line) + 1


def test_a_stage_is_what_is_common_with_its_own_over_it(staging: Staging) -> None:
    stages = [
        {"name": "one", "adapter": {"r": 2}, "epochs": 1},
        {"name": "two", "adapter": {"kind": "full"}, "limits": {"cut": 0.5}},
    ]
    recipe = staging.recipe(stages, steps=7)
    one, two = stages_of(recipe)
    assert one.adapter == LoraAdapter(r=2) and (one.steps, one.epochs) == (None, 1)
    assert two.adapter == FullAdapter(kind="full") and two.steps == 7
    assert (two.limits.dropped, two.limits.cut) == (1.0, 0.5) and two.batch_size == 4


def test_a_stages_recipe_is_one_run_that_says_where_its_values_are_from(staging: Staging) -> None:
    recipe = written(staging, STAGES)
    (_, sft), *_ = planned(recipe)
    assert sft.origins["train.steps"].endswith(f"temper.yaml:{line_of(staging, 'steps: 3')}:5")
    common = f"temper.yaml:{line_of(staging, 'learning_rate')}:3"
    assert sft.origins["train.learning_rate"].endswith(common)
    assert sft.origins["train.seed"] == "default"
    copy = staging.workspace.root / "copy.yaml"
    copy.write_text(sft.to_yaml())
    again = load(copy, ()).section("train", TrainSection)
    assert again is not None and not again.has_stages
    was = sft.section("train", TrainSection)
    assert was is not None and again.model_dump(exclude={"stages"}) == was.model_dump()


BAD: list[tuple[Any, str, str, str]] = [
    # stages, the key that is told, what is expected, the hint
    (changed(2, model={"stage": "stf"}), "train.stages.2.model.stage", "sft", "Did you mean `sft`"),
    (changed(0, model={"stage": "sft"}), "train.stages.0.model.stage", "come after itself", ""),
    (changed(0, model={"stage": "policy"}), "train.stages.0.model.stage", "comes later", ""),
    (changed(2, model={"stage": "reward"}), "train.stages.2.model.stage", "another method", ""),
    (
        changed(1, method="dpo"),
        "train.stages.2.method.rewards.0.stage",
        "of `method: reward`: there is none before this one; `reward` comes later or is of another",
        "",
    ),
    (changed(1, name="sft"), "train.stages.1.name", "a name of its own", ""),
    (changed(1, name="a/b"), "train.stages.1.name", "pattern", ""),
    (changed(1, learning_rte=1), "train.stages.1.learning_rte", "learning_rate", "learning_rate"),
    (changed(1, stages=[]), "train.stages.1.stages", "one of", ""),
    (changed(1, steps=0), "train.stages.1.steps", "greater than", ""),
    (changed(2, **{"from": "toy"}), "train.stages.2", "a stage begins once", ""),
    (
        changed(0, tempering={"replay": {"share": 0.2}}),
        "train.stages.0",
        "a dataset in tempering.replay",
        "",
    ),
    ([], "train.stages", "at least 1", ""),
    ("sft", "train.stages", "tuple", ""),
    (["sft"], "train.stages.0", "a mapping of keys", ""),
]


@pytest.mark.parametrize(("stages", "key", "expected", "hint"), BAD)
def test_what_stages_cannot_be_is_told_with_its_line(
    staging: Staging, stages: Any, key: str, expected: str, hint: str
) -> None:
    with pytest.raises(RecipeError) as caught:
        written(staging, stages)
    told = [one for one in caught.value.problems if one.key == key]
    assert told, caught.value.cause
    assert expected in told[0].expected and hint in told[0].hint


def test_a_fault_of_what_is_common_is_told_once(staging: Staging) -> None:
    with pytest.raises(RecipeError) as caught:
        written(staging, STAGES, learning_rat=1)
    (problem,) = caught.value.problems
    assert problem.key == "train.learning_rat"
    with pytest.raises(RecipeError, match="`from` in the stage"):
        written(staging, STAGES, **{"from": "toy"})


def test_a_reward_of_a_stage_needs_stages(staging: Staging) -> None:
    method = {"kind": "grpo", "rewards": [{"kind": "model", "stage": "reward"}]}
    with pytest.raises(ValueError, match=r"which is for train\.stages"):
        TrainSection.model_validate({"method": method})
    method["rewards"] = [{"kind": "model", "stage": "reward", "model": "runs/x"}]
    with pytest.raises(ValueError, match="either `model` or"):
        TrainSection.model_validate({"method": method})


def test_a_dataset_of_another_type_in_the_last_stage_is_refused_before_the_first(
    staging: Staging,
) -> None:
    with pytest.raises(DataError, match="`method: rloo` cannot learn from preference") as caught:
        staging.train(changed(2, dataset="pairs"))
    assert caught.value.where.startswith("stage policy: ")
    assert not staging.workspace.runs.exists()


def test_what_is_for_one_run_refuses_stages_and_names_the_way(staging: Staging) -> None:
    from train.inputs import find_inputs

    with pytest.raises(UsageError, match="has stages") as caught:
        find_inputs(staging.recipe(), staging.workspace, command="temper curve")
    assert "temper preview --stage" in caught.value.cure


def test_a_later_stage_is_planned_with_the_shape_of_the_first(staging: Staging) -> None:
    from train.inputs import find_inputs

    for name, recipe in planned(staging.recipe()):
        plan = find_inputs(recipe, staging.workspace).prepare().plan
        assert plan.model_path == str(staging.bench.model)
        assert plan.steps == (3 if name == "sft" else 2)


def test_rows_of_an_earlier_stage_are_replayed_where_asked(staging: Staging) -> None:
    stages = [
        STAGES[0],
        {"name": "more", "dataset": "general", "model": {"stage": "sft"}},
    ]
    stages[1]["tempering"] = {"replay": {"share": 0.5}}
    (_, _), (_, more) = planned(staging.recipe(stages))
    section = more.section("train", TrainSection)
    assert section is not None and section.tempering.replay is not None
    assert section.tempering.replay.dataset == "toy"
    assert Path(staging.workspace.dataset("toy")).is_dir()
