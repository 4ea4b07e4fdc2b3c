"""Answers to be judged, and a scripted judge."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from evalsuite.engine.questions import Sample
from evalsuite.tasks import LoadedSuite, load_suite
from tests.curate.synth.conftest import Served
from tests.curate.synth.conftest import quick as quick  # a fixture
from tests.curate.synth.conftest import served as served  # a fixture

SuiteMaker = Callable[..., LoadedSuite]


def section(text: str, name: str) -> str:
    """Return what stands below a heading of a judge's prompt."""
    found = re.search(rf"==== {name} ====\n(.*?)\n?====", text, re.DOTALL)
    return found[1] if found else ""


def asked(body: Any) -> str:
    """Return the first question of a request to the judge."""
    return str(body["messages"][0]["content"])


def grading(grades: Mapping[str, Any]) -> Callable[[Any], str]:
    """Return a judge that gives each answer its grade; a text is its whole reply."""

    def answer(body: Any) -> str:
        given = grades[section(asked(body), "ANSWER")]
        return given if isinstance(given, str) else json.dumps({"score": given, "reason": "so"})

    return answer


def preferring(better: Callable[[str, str], str]) -> Callable[[Any], str]:
    """Return a judge that says which of two texts is better: first, second or neither."""

    def answer(body: Any) -> str:
        text = asked(body)
        said = better(section(text, "FIRST ANSWER"), section(text, "SECOND ANSWER"))
        return json.dumps({"better": said, "reason": "so"})

    return answer


@pytest.fixture
def suite_of(tmp_path: Path, served: Served) -> SuiteMaker:
    """Makes a suite of one task with a scorer that asks the scripted judge."""

    def make(scorer: dict[str, Any], rows: int = 3, **fields: Any) -> LoadedSuite:
        human = fields.pop("human", {})
        if scorer["kind"] != "reward_model":
            given = {"rubric": "Is it kind?", "budget": {"requests": 500}, "repairs": 0}
            scorer = {"backend": served.backend(), **given, **scorer}
        task = {
            "name": "tone", "kind": "generation", "data": "rows.jsonl",
            "prompt": "{{ question }}", "scorer": scorer, **fields,
        }  # fmt: skip
        lines = [
            {"id": number, "question": f"question {number}?", "topic": f"t{number // 2}"}
            | ({"human": human[number]} if number in human else {})
            for number in range(rows)
        ]
        (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, lines)))
        document = {
            "schema_version": 1, "name": "mine", "purpose": "retention", "min_items": 2,
            "tasks": [task],
        }  # fmt: skip
        YAML().dump(document, tmp_path / "suite.yaml")
        return load_suite(tmp_path / "suite.yaml")

    return make


def answers(suite: LoadedSuite, **models: Sequence[str]) -> dict[str, Any]:
    """Return the samples of models that gave these answers, without scores."""
    items = suite.tasks[0].items
    return {
        model: {
            ("mine", "tone"): [
                Sample(
                    "tone", "tone", item.id, item.cluster, model, item.question, item.gold,
                    output, float("nan"), "", -1.0, 5, 5, 0.1, False,
                )
                for item, output in zip(items, outputs, strict=True)
            ]
        }
        for model, outputs in models.items()
    }  # fmt: skip
