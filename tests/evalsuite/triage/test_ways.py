"""What is asked again has answers in it, and never what a scorer merely compares with."""

from __future__ import annotations

import difflib
import json
import random
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from evalsuite.engine.questions import Asker, Sample
from evalsuite.engine.requests import ChoiceRequest
from evalsuite.models import ChatTokenizer
from evalsuite.tasks import Item, LoadedTask
from evalsuite.tasks.item import Message
from evalsuite.tasks.schema import Task
from evalsuite.triage.ways import (
    ALIKE,
    BEGUN,
    CHOICE,
    LOOKED_AT,
    ONE_EXAMPLE,
    contained,
    nearly,
    ways_of,
)


def task_of(scorer: Any, golds: list[str]) -> LoadedTask:
    spec = {"name": "t", "kind": "generation", "data": "x", "prompt": "p", "gold": "g"}
    items = tuple(
        Item(str(number), (Message("user", f"item {number}"),), gold=gold)
        for number, gold in enumerate(golds)
    )
    return LoadedTask(Task.model_validate({**spec, "scorer": scorer, "max_new_tokens": 8}), items)


def program(number: int) -> str:
    return json.dumps({"tests": [f"assert f() == {number}"], "solution": f"f = lambda: {number}"})


@pytest.fixture(scope="module")
def asker(tiny_model: Path) -> Asker:
    return Asker(ChatTokenizer.from_dir(tiny_model), 512)


@pytest.mark.parametrize(
    ("scorer", "golds"),
    [
        ("language", ["de", "en", "fr", "it", "es"]),
        ("constraints", [f'[{{"check": "includes", "text": "{one}"}}]' for one in "abcde"]),
        ("code", ["assert f() == 1", "assert f() == 2", "assert g()", "assert h()", "assert i()"]),
    ],
)
def test_what_is_no_answer_is_not_asked_for(asker: Asker, scorer: str, golds: list[str]) -> None:
    task = task_of(scorer, golds)
    assert ways_of(task, range(4), asker, 0) == []
    samples = [cast("Sample", SimpleNamespace(output=gold)) for gold in golds]
    assert contained(samples, task.items, task.spec.scorer) is None


def test_of_tests_it_is_their_solution(asker: Asker) -> None:
    task = task_of("code", [program(number) for number in range(5)])
    ways = {way.name: way for way in ways_of(task, range(4), asker, 0)}
    assert set(ways) == {ONE_EXAMPLE, BEGUN, CHOICE}
    choice = ways[CHOICE].requests[0]
    assert isinstance(choice, ChoiceRequest)
    assert asker.tokenizer.decode(choice.choices[0]) == "f = lambda: 0"
    asked = [way.requests[0].prompt for way in (ways[ONE_EXAMPLE], ways[BEGUN])]  # type: ignore[union-attr]
    shown, begun = map(asker.tokenizer.decode, asked)
    assert "f = lambda: 4" in shown and begun.endswith("f = lam")
    assert "assert" not in shown + begun
    samples = [cast("Sample", SimpleNamespace(output="it is f = lambda: 0"))] * 5
    found = contained(samples, task.items, task.spec.scorer)
    assert found == [1.0, 0.0, 0.0, 0.0, 0.0]


def test_wrong_choices_of_long_answers_are_found_in_little_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every comparison takes the product of both lengths."""
    looked: list[int] = []
    ratio = difflib.SequenceMatcher.ratio

    def counted(matcher: difflib.SequenceMatcher[str]) -> float:
        looked.append(max(len(matcher.a), len(matcher.b)))
        return ratio(matcher)

    monkeypatch.setattr(difflib.SequenceMatcher, "ratio", counted)
    golds = [f"{'x' * 1000}{number}" for number in range(300)]
    found = nearly(golds[0], golds, random.Random(0))
    assert len(set(found) - {golds[0]}) == 3  # the same at their beginning, and none is lost
    assert (len(looked), max(looked)) == (ALIKE, LOOKED_AT)
    nearly("one two three four", golds, random.Random(0))  # its own words suffice
    assert len(looked) == ALIKE


def test_no_choice_is_made_of_very_long_answers(asker: Asker) -> None:
    golds = ["a", "b", "c", "d", "e", " ".join(["long"] * 201)]
    (choice,) = [
        way for way in ways_of(task_of("exact", golds), range(6), asker, 0) if way.name == CHOICE
    ]
    assert choice.places == (0, 1, 2, 3, 4)
