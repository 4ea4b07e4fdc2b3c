"""What measures while or beside training cannot wait for another model's opinion."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evalsuite.engine.request import EvalRequest
from evalsuite.models.source import ModelSource
from evalsuite.tasks import load_suite
from train.curve.curve import _targets
from train.dial.request import DialRequest
from train.probe.suites import find_probe
from train.rebase.rebase import _suites
from tui.schema import compose
from workspace.errors import UsageError
from workspace.recipe import Recipe, load_recipe

WAITS = "cannot wait for another model's opinion"


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    """A recipe whose only suite is judged."""
    backend = {"base_url": "http://127.0.0.1:9/v1", "model": "large"}
    scorer = {"kind": "pairwise", "backend": backend, "rubric": "?", "budget": {"requests": 9}}
    task = {
        "name": "tone", "kind": "generation", "data": "rows.jsonl", "prompt": "{{ q }}",
        "scorer": scorer,
    }  # fmt: skip
    suite = {"schema_version": 1, "name": "mine", "purpose": "target", "tasks": [task]}
    (tmp_path / "suites").mkdir()
    (tmp_path / "suites" / "rows.jsonl").write_text('{"id": 1, "q": "?"}\n')
    (tmp_path / "suites" / "mine.yaml").write_text(json.dumps(suite))
    (tmp_path / "temper.yaml").write_text("name: x\nevaluate: {suites: [mine]}\n")
    return load_recipe(tmp_path / "temper.yaml", compose())


class Asked:
    suites = ("mine",)


def test_the_probe_the_curve_and_the_rebase_refuse_it(recipe: Recipe) -> None:
    workspace, nothing = recipe.workspace, Any
    with pytest.raises(UsageError, match=f"the probe {WAITS}"):
        find_probe(Asked(), workspace, nothing, nothing)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=f"the curve {WAITS}"):
        _targets(recipe, workspace)
    with pytest.raises(UsageError, match=f"the comparison of two bases {WAITS}"):
        _suites(recipe, workspace, ["mine"])


def test_the_dial_refuses_it(recipe: Recipe, tmp_path: Path) -> None:
    base = ModelSource("tiny", tmp_path, "0" * 64)
    suite = load_suite(tmp_path / "suites" / "mine.yaml")
    asked = EvalRequest("x", base, (), (suite,))
    with pytest.raises(UsageError, match=f"the dial {WAITS}"):
        DialRequest(Any, (), asked).check()  # type: ignore[arg-type]
