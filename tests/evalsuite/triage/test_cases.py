"""Ways of asking are compared with the suite's own way on the same items."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from evalsuite.engine.questions import Sample
from evalsuite.tasks import Item, LoadedSuite, LoadedTask
from evalsuite.tasks.schema import Suite
from evalsuite.triage.cases import Again, Lost, Scores, triage_record
from evalsuite.triage.records import TriageRecord
from evalsuite.triage.ways import CHOICE, ONE_EXAMPLE, Way

Answers = dict[tuple[str, str], list[Sample]]


def ones(right: int, of: int) -> list[float]:
    return [1.0] * right + [0.0] * (of - right)


def task_of(name: str, **spec: Any) -> dict[str, Any]:
    asked = {"kind": "generation", "data": "x", "prompt": "{{ q }}", "gold": "{{ a }}"}
    scored = {} if spec.get("kind") == "choice" else {"scorer": "exact"}
    return {"name": name, "ability": "sums", **asked, **scored, **spec}


def found_of(
    *cases: tuple[dict[str, Any], Scores, Scores, dict[str, Sequence[int]]],
) -> TriageRecord:
    """Put tasks, with the scores of base and tuned by way and the places a way asked."""
    spec = {"schema_version": 1, "name": "kept", "purpose": "retention", "min_items": 20}
    suite = Suite.model_validate({**spec, "tasks": [task for task, *_ in cases]})
    tasks: list[LoadedTask] = []
    again: dict[tuple[str, str], Again] = {}
    samples: tuple[Answers, Answers] = ({}, {})
    for number, (_, base, tuned, places) in enumerate(cases):
        count = len(base["as asked"])
        choices = ("yes", "no") if suite.tasks[number].kind == "choice" else ()
        items = tuple(Item(f"{place}", gold="yes", choices=choices) for place in range(count))
        task = LoadedTask(suite.tasks[number], items)
        tasks.append(task)
        loaded = LoadedSuite(suite, Path("kept.yaml"), (task,))
        ways = tuple(
            Way(name, tuple(where), (), lambda _: [], chance=0.25 if name == CHOICE else None)
            for name, where in places.items()
        )
        scores = {
            model: {name: side[name] for name in places}
            for model, side in (("base", base), ("mine", tuned))
        }
        again["kept", task.spec.name] = Again(
            loaded, task, tuple(range(count)), ways, (), dict(scores)
        )
        for held, side in zip(samples, (base, tuned), strict=True):
            held["kept", task.spec.name] = [
                cast("Sample", SimpleNamespace(score=score, output="yes" * int(score)))
                for score in side["as asked"]
            ]
    whole = LoadedSuite(suite, Path("kept.yaml"), tuple(tasks))
    lost = Lost("mine", "sums", tuple((whole, task) for task in tasks))
    return triage_record(lost, again, ("base", samples[0]), samples[1])


def test_what_is_left_is_of_the_items_that_a_way_asked() -> None:
    """One task is as good as ever and is all that a choice asks; the other one is lost."""
    kept = {"as asked": ones(38, 40), CHOICE: ones(39, 40)}
    gone = {"as asked": ones(38, 40)}, {"as asked": ones(0, 40)}
    found = found_of(
        (task_of("easy"), kept, kept, {CHOICE: range(40)}),
        (task_of("hard"), *gone, {}),
    )
    choice = next(way for way in found.ways if way.name == CHOICE)
    assert (choice.items, choice.left, found.ways[0].left) == (40, 1.0, 0.5)
    assert found.kind == "real"


def test_a_way_of_a_few_of_the_items_tells_nothing() -> None:
    few = {"as asked": ones(0, 100), ONE_EXAMPLE: ones(40, 40)}
    base = {"as asked": ones(100, 100), ONE_EXAMPLE: ones(40, 40)}
    found = found_of((task_of("one"), base, few, {ONE_EXAMPLE: range(40)}))
    assert [way.kept for way in found.ways if way.name == ONE_EXAMPLE] == [None]
    assert found.kind == "real"


@pytest.mark.parametrize(
    "task",
    [
        task_of("one", kind="choice", choices="{{ c }}"),
        task_of("one", chance=0.5),
    ],
)
def test_what_guessing_scores_is_no_skill(task: dict[str, Any]) -> None:
    """Of two answers half are right by chance: nothing is left, and an example brings nothing."""
    base = {"as asked": ones(36, 40), ONE_EXAMPLE: ones(36, 40)}
    tuned = {"as asked": ones(20, 40), ONE_EXAMPLE: ones(21, 40)}
    found = found_of((task, base, tuned, {ONE_EXAMPLE: range(40)}))
    way = next(one for one in found.ways if one.name == ONE_EXAMPLE)
    assert (way.chance, way.left) == (0.5, 0.0)
    assert way.kept == pytest.approx(0.0625)
    assert found.kind == "real"
