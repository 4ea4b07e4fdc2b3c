"""What is missing: labels that are rare, abilities that an evaluation found wanting."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from curate.synth.deficits import nearest_rows
from evalsuite.engine.questions import Sample
from evalsuite.engine.samples import write_samples
from evalsuite.gate import judge
from evalsuite.report import ComparisonRecord, ModelRecord, Results, SuiteRecord, write_results
from evalsuite.verdict import PairedAbility
from workspace.errors import DataError, UsageError, WorkError

Served = Any
Body = dict[str, Any]

ITEMS = 40
SUBJECTS = {"cooking": "stew soup oven", "sailing": "mast anchor harbour", "law": "court judge"}


def rows(*, labels: bool) -> list[dict[str, Any]]:
    """Ten source rows of each subject."""
    out = []
    for subject, words in SUBJECTS.items():
        for number in range(10):
            question = f"About the {words}, which one is worth {number * 13} coins of tin?"
            row: dict[str, Any] = {"prompt": question, "completion": f"Number {number}."}
            out.append({**row, "label": subject} if labels else row)
    return out


@pytest.fixture
def evaluation(tmp_path: Path) -> Path:
    """An evaluation in which `sailing` was unlearnt, `law` kept and `cooking` is not clear."""
    directory = tmp_path / "evals" / "20261120-233000-mine-ab12"
    directory.mkdir(parents=True)
    wrong = {"cooking": 3, "sailing": 30, "law": 0}
    abilities, samples = [], []
    for name, words in SUBJECTS.items():
        base = np.ones(ITEMS)
        tuned = (np.arange(ITEMS) >= wrong[name]).astype(float)
        names = [str(number) for number in range(ITEMS)]
        abilities.append(PairedAbility(name, "retention", base, tuned, names))
        for model, scores in (("base", base), ("tuned", tuned)):
            samples += [
                Sample(
                    task=name, ability=name, item_id=str(number), cluster=str(number), model=model,
                    prompt=f"SECRET{number}: of {words}, tell the price in pearls", gold="x",
                    output="y", score=float(score), detail="", logprob=-1.0, prompt_tokens=9,
                    output_tokens=1, latency_seconds=0.1, cut=False,
                )
                for number, score in enumerate(scores)
            ]  # fmt: skip
    comparison = ComparisonRecord(base="base", tuned="tuned", verdict=judge(abilities, []))
    models = [
        ModelRecord(name="base", role="base", path="builtin", digest="0" * 64),
        ModelRecord(name="tuned", role="tuned", path="runs/x", digest="1" * 64),
    ]
    suite = SuiteRecord(
        name="s", purpose="retention", path="s.yaml", digest="2" * 64, tasks=3, items=3 * ITEMS,
        margin=0.05, alpha=0.05, min_items=20,
    )  # fmt: skip
    results = Results(
        id=directory.name,
        created="2026-11-20T23:30:00+00:00",
        models=models,
        suites=[suite],
        comparisons=[comparison],
    )
    write_results(directory, results)
    write_samples(directory / "samples.parquet", samples)
    return directory


def section(served: Served, target: dict[str, Any], **changes: Any) -> dict[str, Any]:
    served.script.answer = lambda body: json.dumps(
        {"question": f"Say kx{body['seed'] % 997} vq{body['seed'] % 883} zt{body['seed'] % 787}"}
    )
    generate = [{"paraphrase": {"per_row": 4}}]
    common = {"backend": served.backend(), "generate": generate, "target": target}
    return {**common, **changes}


def shown(served: Served) -> list[str]:
    return [str(body["messages"][-1]["content"]) for body in served.script.requests]


def test_rows_are_made_for_a_failed_ability_from_rows_of_its_label(
    served: Served, augment: Any, evaluation: Path
) -> None:
    result = augment(section(served, {"evaluation": {"rows": 6}}), rows=rows(labels=True))
    assert result.accepted == {"sailing": 6}
    (deficit,) = result.deficits
    assert deficit.why.startswith("fail:")
    labels = [meta["label"] for meta in pl.read_parquet(result.path / "train.parquet")["meta"]]
    assert labels == ["sailing"] * 6
    assert all("mast anchor" in text for text in shown(served))
    assert any("found by label" in text for text in result.notes)


def test_without_labels_the_rows_nearest_to_what_was_answered_wrongly_are_taken(
    served: Served, augment: Any, evaluation: Path
) -> None:
    target = {"evaluation": {"name": evaluation.name, "rows": 6, "nearest": 3}}
    result = augment(section(served, target), rows=rows(labels=False))
    assert result.accepted == {"sailing": 6}
    assert all("mast anchor" in text for text in shown(served))
    assert not any("SECRET" in text for text in shown(served))  # items are shown to nobody
    assert any("likeness to 30 items answered wrongly" in text for text in result.notes)


def test_unclear_abilities_can_be_asked_for(served: Served, augment: Any, evaluation: Path) -> None:
    target = {"evaluation": {"rows": 3, "verdicts": ["fail", "inconclusive"]}}
    result = augment(section(served, target), rows=rows(labels=True), dry_run=True)
    assert {one.name for one in result.deficits} >= {"sailing", "cooking"}
    target = {"evaluation": {"rows": 3, "abilities": ["law"]}}
    result = augment(section(served, target), rows=rows(labels=True), dry_run=True)
    assert [one.name for one in result.deficits] == ["law"]


@pytest.mark.parametrize(
    "target, error, told",
    [
        ({"rows": 3, "abilities": ["swimming"]}, DataError, "no ability 'swimming'"),
        ({"rows": 3, "model": "other"}, DataError, "compares no such model"),
        ({"rows": 3, "name": "nowhere"}, UsageError, "nowhere"),
    ],
)
def test_what_an_evaluation_does_not_have_is_told(
    served: Served, augment: Any, evaluation: Path, target: Any, error: Any, told: str
) -> None:
    with pytest.raises(error, match=told):
        augment(section(served, {"evaluation": target}), rows=rows(labels=True))
    assert not served.script.requests


def test_an_ability_that_no_source_row_is_like_is_passed_over(
    served: Served, augment: Any, evaluation: Path
) -> None:
    others = [{"prompt": f"Where is {name}?", "completion": "There."} for name in "ABCD"]
    result = augment(section(served, {"evaluation": {"rows": 3}}), rows=others)
    assert result.path is None and not result.deficits
    assert any("no source row is like it" in text for text in result.notes)


def test_the_largest_lack_comes_first_and_all_are_made_up_for(served: Served, augment: Any) -> None:
    tin = {"prompt": "Which tin is rare?", "completion": "This.", "label": "tin"}
    source = [*rows(labels=True)[:27], tin]
    generate = [{"paraphrase": {"per_row": 64}}]
    target = {"labels": {"least": 12}}
    result = augment(section(served, target, generate=generate), rows=source)
    assert [(one.name, one.wanted) for one in result.deficits] == [
        ("tin", 11),
        ("law", 5),
        ("cooking", 2),
        ("sailing", 2),
    ]
    assert result.accepted == {"tin": 11, "law": 5, "cooking": 2, "sailing": 2}


def test_where_nothing_is_missing_nothing_is_done(served: Served, augment: Any) -> None:
    result = augment(section(served, {"labels": {"least": 10}}), rows=rows(labels=True))
    assert result.path is None and "Nothing is missing." in result.notes
    assert not served.script.requests


def test_a_label_that_there_is_not_is_told(served: Served, augment: Any) -> None:
    target = {"labels": {"least": 20, "only": ["swimming"]}}
    with pytest.raises(DataError, match="no source row has the label 'swimming'"):
        augment(section(served, target), rows=rows(labels=True))


def test_rows_that_cannot_be_used_are_counted_and_what_they_leave_is_told(
    served: Served, augment: Any
) -> None:
    source = [{"text": f"Plain text number {n} about nothing at all."} for n in range(3)]
    with pytest.raises(WorkError, match="no made row was accepted") as caught:
        augment(section(served, {"rows": 3}), rows=source)
    assert "no generator can use any of its source rows" in caught.value.cause


def test_made_rows_may_not_take_the_place_of_their_source(served: Served, augment: Any) -> None:
    with pytest.raises(UsageError, match="take the place"):
        augment(section(served, {"rows": 3}, name="made"), rows=rows(labels=True))


def test_nearest_rows_are_those_of_a_full_comparison() -> None:
    texts = pl.Series([row["prompt"] for row in rows(labels=False)])
    items = pl.Series(["the mast and the anchor", "a judge"])
    assert nearest_rows(items, texts, 2).tolist() == [10, 11, 20, 21]
    assert nearest_rows(items.head(0), texts, 2).size == 0
    assert nearest_rows(items, texts.head(0), 2).size == 0
