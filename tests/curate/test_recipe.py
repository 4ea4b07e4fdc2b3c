"""The `curate` section: what it takes, and what it says to what it does not."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from pydantic import ValidationError

from curate.recipe import CurateSection
from curate.steps.configs import StepConfig
from workspace.describing import described_schema


def section(**settings: Any) -> CurateSection:
    return CurateSection.model_validate({"sources": ["a.jsonl"], **settings})


def test_a_path_alone_is_a_source_and_a_name_alone_is_a_step() -> None:
    made = section(steps=["exact_duplicates", {"near_duplicates": None}])
    assert made.sources[0].path == "a.jsonl"
    assert [step.name for step in made.steps] == ["exact_duplicates", "near_duplicates"]


def test_percentages_may_be_written() -> None:
    made = section(max_quarantine="5%", split={"validation": "10%", "test": 200})
    assert (made.max_quarantine, made.split.validation, made.split.test) == (0.05, 0.1, 200)


def test_what_is_dumped_can_be_read_again() -> None:
    made = section(steps=[{"decontaminate": {"suites": ["a"], "threshold": 0.7}}])
    assert CurateSection.model_validate(made.model_dump(mode="json")) == made


@pytest.mark.parametrize(
    "settings",
    [
        {"steps": ["exact_duplicate"]},
        {"steps": [{"exact_duplicates": {}, "empty_answers": {}}]},
        {"steps": [{}]},
        {"steps": [{"near_duplicates": {"treshold": 0.8}}]},
        {"sources": []},
        {"max_quarantine": 2},
        {"split": {"test": "many"}},
        {"split": {"test": "150%"}},
        {"split": {"validation": "60%", "test": 0.4}},
        {"steps": [{"near_duplicates": {"threshold": 0.6}}], "split": {"similarity": 0.7}},
        {"steps": ["topics", "redact"]},
        {"steps": [{"balance": {"by": "topic", "topics": {}, "cap": 9}}, "redact"]},
    ],
)
def test_what_cannot_be_meant_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        section(**settings)


def test_the_schema_lists_the_steps() -> None:
    schema = described_schema(StepConfig)
    assert "near_duplicates" in schema["properties"]


def test_the_section_and_the_commands_load_nothing_heavy() -> None:
    code = (
        "import sys, curate, curate.recipe, curate.cli;"
        "heavy = {'polars', 'numpy', 'torch', 'pyarrow', 'transformers', 'scipy'};"
        "print(heavy & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"
