"""Checks of an answer's form: each accepts what keeps it and refuses what nearly does."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from evalsuite.scorers import ConstraintsScorer, compares
from evalsuite.scorers.checks import Unit, count
from evalsuite.scorers.length import count as length
from evalsuite.tasks import Item, Suite
from evalsuite.tasks.items import load_items
from evalsuite.tasks.schema import Task
from workspace.errors import DataError


@pytest.mark.parametrize(
    ("unit", "text", "found"),
    [
        ("words", "One two-three, 4 — five's.", 4),
        ("words", " \n ", 0),
        ("sentences", 'He said "Yes." Then 3.5 more... Why?! Unended', 4),
        ("sentences", "A. B. C.", 3),
        ("lines", "a\n\n b \n", 2),
        ("paragraphs", "a\nb\n \n\nc", 2),
        ("bullets", "- a\n* b\n• c\n-d\n- \n1. e", 3),
        ("numbered", "1. a\n2) b\n3.c\n- d", 2),
        ("characters", " née ", 3),
    ],
)
def test_counts(unit: Unit, text: str, found: int) -> None:
    assert count(unit, text) == found


@pytest.mark.parametrize("run", ["!" * 50_000, ("." * 9 + ")") * 5_000, "." + ")" * 50_000])
def test_long_runs_of_signs_are_counted_at_once(run: str) -> None:
    began = time.perf_counter()
    assert count("sentences", run + "x") == length(run + "x", "sentences") == 1
    assert time.perf_counter() - began < 0.5


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        ({"check": "count", "of": "words", "at_most": 3}, "one two three", "one two three four"),
        ({"check": "count", "of": "words", "at_least": 3}, "one two three", "one two"),
        ({"check": "count", "of": "lines", "at_least": 2, "at_most": 2}, "a\nb", "a\nb\nc"),
        ({"check": "includes", "text": "art"}, "The ART of it", "a party"),
        ({"check": "includes", "text": "a", "times": 2}, "a b a", "a b"),
        ({"check": "includes", "text": "Art", "ignore_case": False}, "Art", "art"),
        ({"check": "excludes", "text": "and"}, "sand", "this And that"),
        ({"check": "excludes", "text": "z", "whole_words": False}, "cat", "puZzle"),
        ({"check": "excludes", "text": ",", "whole_words": False}, "a; b", "a, b"),
        ({"check": "case", "case": "upper"}, "AB 1!", "Ab"),
        ({"check": "case", "case": "lower"}, "ab 1!", "aB"),
        ({"check": "case", "case": "lower"}, "a", "123"),
        ({"check": "starts_with", "text": "Well,"}, " Well, so", "Oh. Well, so"),
        ({"check": "ends_with", "text": "The end."}, "It was. The end.\n", "The end. Bye"),
        ({"check": "json"}, '```json\n{"a": 1}\n```', 'Here: {"a": 1}'),
        ({"check": "json", "keys": ["a", "b"]}, '{"b": 1, "a": 2}', '{"a": 1, "c": 2, "b": 3}'),
        ({"check": "json", "keys": ["a"]}, '{"a": []}', '["a"]'),
        ({"check": "matches", "pattern": "^<.*>$"}, "<x\ny>", "x<y>z"),
    ],
)
def test_each_check_tells_what_keeps_it_from_what_does_not(
    check: dict[str, Any], good: str, bad: str
) -> None:
    scorer, item = ConstraintsScorer(), Item("1", gold=json.dumps([check]))
    assert scorer.refusal(item.gold) is None
    assert scorer.score(good, item).value == 1
    failed = scorer.score(bad, item)
    assert failed.value == 0
    assert failed.detail
    assert scorer.score(" ", item).value == 0


def test_all_must_hold_or_the_share_is_given() -> None:
    checks = [
        {"check": "count", "of": "words", "at_most": 3},
        {"check": "includes", "text": "sea"},
        {"check": "ends_with", "text": "!"},
        {"check": "case", "case": "lower"},
    ]
    item = Item("1", gold=json.dumps(checks))
    told = ConstraintsScorer().score("the Sea calls us!", item)
    assert told.value == 0
    assert told.detail == "4 words, at most 3 asked; not all letters are lower case"
    assert ConstraintsScorer(partial=True).score("the Sea calls us!", item).value == 0.5


def test_checks_of_all_items_stand_in_the_suite_and_need_no_gold() -> None:
    scorer = ConstraintsScorer.model_validate(
        {"kind": "constraints", "checks": [{"check": "count", "of": "sentences", "at_most": 1}]}
    )
    assert not compares(scorer)
    assert scorer.refusal("") is None
    assert [scorer.score(text, Item("1")).value for text in ("One.", "One. Two.")] == [1, 0]
    assert compares(ConstraintsScorer())


@pytest.mark.parametrize(
    ("checks", "said"),
    [
        ([{"check": "count", "of": "words"}], "at_least"),
        ([{"check": "count", "of": "words", "at_least": 3, "at_most": 2}], "not below"),
        ([{"check": "includes", "text": " "}], "not empty"),
        ([{"check": "includes", "txt": "a"}], "Field required"),
        ([{"check": "matches", "pattern": "("}], "regular expression"),
        ([{"check": "rhymes"}], "rhymes"),
        ([], "without a check"),
        ("no list", "no list of checks"),
    ],
)
def test_what_is_no_check_is_refused_with_its_place(tmp_path: Path, checks: Any, said: str) -> None:
    path = tmp_path / "items.jsonl"
    path.write_text(json.dumps({"id": "1", "q": "?", "checks": checks}))
    task = Task.model_validate(
        {"name": "t", "kind": "generation", "data": "items.jsonl", "prompt": "{{ q }}",
         "gold": "{{ checks }}", "scorer": "constraints"}
    )  # fmt: skip
    with pytest.raises(DataError) as caught:
        load_items(task, path)
    assert caught.value.where.endswith("items.jsonl:1: gold")
    assert said in str(caught.value)
    if checks and isinstance(checks, list):
        with pytest.raises(ValidationError):
            ConstraintsScorer.model_validate({"kind": "constraints", "checks": checks})


def test_what_guessing_scores_is_said_only_where_it_is_not_known() -> None:
    from tests.evalsuite.english.helpers import suite_of

    generation = {"kind": "generation", "data": "x", "prompt": "p", "gold": "g", "scorer": "exact"}
    choice = {"kind": "choice", "data": "x", "prompt": "p", "gold": "g", "choices": "c"}
    assert suite_of({**generation, "chance": 0.25}).tasks[0].chance == 0.25
    with pytest.raises(ValidationError, match="no `chance`"):
        suite_of({**choice, "chance": 0.25})
    with pytest.raises(ValidationError, match="less than 1"):
        suite_of({**generation, "chance": 1.0})


def test_checks_are_no_answers_to_show() -> None:
    from tests.evalsuite.english.helpers import suite_of

    task = {"kind": "generation", "data": "x", "prompt": "p", "gold": "g", "scorer": "constraints"}
    assert isinstance(suite_of(task), Suite)
    with pytest.raises(ValidationError, match="no `few_shot`"):
        suite_of({**task, "few_shot": {"data": "y"}})
    with pytest.raises(ValidationError, match="no `few_shot`: what scorer language"):
        suite_of({**task, "scorer": "language", "few_shot": {"data": "y"}})
    fixed = {"kind": "constraints", "checks": [{"check": "case", "case": "lower"}]}
    assert suite_of({**task, "scorer": fixed, "few_shot": {"data": "y"}}).tasks[0].few_shot
