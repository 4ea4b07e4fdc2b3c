"""The `train:` section."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from train.recipe import FullAdapter, LoraAdapter, TrainSection
from workspace.describing import described_schema
from workspace.errors import RecipeError


def test_an_empty_section_is_lora_with_defaults() -> None:
    section = TrainSection.model_validate({})
    assert section.adapter == LoraAdapter() and section.batch_size == 32


def test_shares_may_be_written_in_percent() -> None:
    section = TrainSection.model_validate(
        {"limits": {"dropped": "1%"}, "replay": {"dataset": "general", "share": "80%"}}
    )
    assert section.limits.dropped == 0.01
    assert section.replay is not None and section.replay.share == 0.8


def test_warmup_is_steps_or_a_share() -> None:
    assert TrainSection.model_validate({"warmup": 10}).warmup == 10
    assert TrainSection.model_validate({"warmup": "10%"}).warmup == 0.1


def test_the_adapter_is_told_apart_by_kind() -> None:
    assert TrainSection.model_validate({"adapter": {"kind": "full"}}).adapter == FullAdapter(
        kind="full"
    )


@pytest.mark.parametrize(
    ("train", "key", "words"),
    [
        ({"steps": 5, "epochs": 1}, "train", "either steps or epochs"),
        ({"batch_size": 8, "micro_batch_size": 3}, "train", "divides batch_size"),
        ({"adapter": {"kind": "full", "r": 4}}, "train.adapter.r", "kind"),
        ({"learning_rte": 1}, "train.learning_rte", "learning_rate"),
        ({"replay": {"dataset": "g", "share": 1.5}}, "train.replay.share", "less than 1"),
        ({"too_long": "truncate"}, "train.too_long", "drop"),
    ],
)
def test_what_cannot_be_is_refused_with_its_key(
    bench: Any, train: dict[str, Any], key: str, words: str
) -> None:
    with pytest.raises(RecipeError) as caught:
        bench.recipe({"steps": None, **train})
    (problem,) = caught.value.problems
    assert problem.key == key
    assert words in f"{problem.expected} {problem.hint}"


def test_every_field_is_described_in_the_schema() -> None:
    schema = described_schema(TrainSection)
    models = [schema, *schema["$defs"].values()]
    bare = [
        f"{model['title']}.{name}"
        for model in models
        for name, field in model["properties"].items()
        if not field.get("description")
    ]
    assert bare == []


def test_the_section_and_the_commands_import_nothing_heavy() -> None:
    script = (
        "import json, sys; import train.recipe, train.cli; "
        "print(json.dumps(sorted(name.split('.')[0] for name in sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", script], capture_output=True, text=True, check=True
    )
    heavy = {"torch", "transformers", "trl", "peft", "polars", "scipy", "numpy", "pyarrow"}
    assert not heavy & set(json.loads(done.stdout))
