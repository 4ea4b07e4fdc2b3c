"""Each scorer against cases made by hand, right and wrong: a broken scorer fails here."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from evalsuite.scorers import Scorer, ScorerConfig, last_number
from evalsuite.tasks import Item

ADAPTER: TypeAdapter[Scorer] = TypeAdapter(ScorerConfig)

TRIAGE = '{"team": "billing", "priority": "high", "product": "app"}'
KEYS = {"kind": "json", "keys": ["team", "priority"]}
SCHEMA = {
    "kind": "json_schema",
    "schema": {
        "type": "object",
        "properties": {"n": {"type": "integer", "minimum": 0}},
        "required": ["n"],
        "additionalProperties": False,
    },
}

RIGHT: list[tuple[Any, str, str]] = [
    ("exact", "Paris", "Paris"),
    ("exact", " Paris\n", "Paris"),
    ({"kind": "exact", "strip": False}, "Paris ", "Paris "),
    ("normalised", "The  answer: “PARIS”.", "the answer paris"),
    ("normalised", "ＡＢＣ", "abc"),
    ("normalised", "-5.", "-5"),
    ("normalised", "straße", "STRASSE"),
    ({"kind": "normalised", "articles": True}, "the cat", "a cat"),
    ("contains", "It is Paris, of course.", "paris"),
    ("contains", "so x = -3!", "-3"),
    ({"kind": "contains", "whole_words": False}, "party", "art"),
    ("numeric", "She pays $1,234.50 in all.", "1234.5"),
    ("numeric", "8 * 9 = 72", "so 8 × 9 is #### 72"),
    ("numeric", "#### 1,000\nThat took 3 steps.", "1000"),
    ("numeric", "a loss of −7 points", "-7"),
    ("numeric", "10-12", "12"),
    ("numeric", "it is .5", "0.50"),
    ("numeric", "1e3", "1000"),
    ("numeric", "The total is 18.", "18"),
    ({"kind": "numeric", "tolerance": 0.01}, "3.14", "3.1416"),
    ("json", '{"b": 1.0, "a": [1, "x"]}', '{"a": [1, "x"], "b": 1}'),
    ("json", '```json\n{"a": 1}\n```', '{"a": 1}'),
    (KEYS, '{"priority":"high","team":"billing","product":"web"}', TRIAGE),
    (SCHEMA, '{"n": 3}', ""),
]
WRONG: list[tuple[Any, str, str]] = [
    ("exact", "paris", "Paris"),
    ("exact", "Paris.", "Paris"),
    ({"kind": "exact", "strip": False}, "Paris ", "Paris"),
    ("normalised", "the answer is Rome", "the answer is Paris"),
    ("normalised", "-5", "5"),
    ("normalised", "3.5", "35"),
    ("normalised", "50%", "50"),
    ("normalised", "the cat", "a cat"),
    ("contains", "party", "art"),
    ("contains", "13", "3"),
    ({"kind": "contains", "ignore_case": False}, "PARIS", "Paris"),
    ("numeric", "no number at all", "5"),
    ("numeric", "72 and then 73", "72"),
    ("numeric", "72 #### 71", "72"),
    ("numeric", "-7", "7"),
    ("numeric", "1,23", "123"),
    ("numeric", "3.14", "3.1416"),
    ("json", '{"a": 1, "extra": 2}', '{"a": 1}'),
    ("json", '{"a": true}', '{"a": 1}'),
    ("json", 'Sure! {"a": 1}', '{"a": 1}'),
    ("json", '{"a": 1, "a": 1}', '{"a": 1}'),
    ("json", '{"a": NaN}', '{"a": 1}'),
    (KEYS, '{"team":"billing","priority":"low"}', TRIAGE),
    (KEYS, '{"team":"billing"}', TRIAGE),
    (KEYS, '["billing", "high"]', TRIAGE),
    (KEYS, TRIAGE[:-1], TRIAGE),
    (SCHEMA, '{"n": -3}', ""),
    (SCHEMA, '{"n": 3, "m": 1}', ""),
    (SCHEMA, "3", ""),
    (SCHEMA, "n: 3", ""),
]


def _scorer(config: Any) -> Scorer:
    return ADAPTER.validate_python(config)


@pytest.mark.parametrize(("config", "output", "gold"), RIGHT)
def test_right_answers_score_one(config: Any, output: str, gold: str) -> None:
    found = _scorer(config).score(output, Item("1", gold=gold))
    assert (found.value, found.detail) == (1.0, "")


@pytest.mark.parametrize(("config", "output", "gold"), WRONG)
def test_wrong_answers_score_zero_and_say_why(config: Any, output: str, gold: str) -> None:
    found = _scorer(config).score(output, Item("1", gold=gold))
    assert found.value == 0.0
    assert found.detail


def test_partial_json_is_the_share_of_right_fields() -> None:
    item = Item("1", gold=TRIAGE)
    some = _scorer({**KEYS, "partial": True}).score('{"team":"billing","priority":"low"}', item)
    assert (some.value, some.detail) == (0.5, "wrong or missing: priority")
    every = _scorer({"kind": "json", "partial": True}).score('{"team":"billing","x":1}', item)
    assert every.value == pytest.approx(1 / 4)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1.", "1"), ("$5", "5"), ("5€", "5"), ("1 000 000", "1000000"), ("-$5", "-5"),
        ("1,000,000.25", "1000000.25"), ("7, 8", "8"), ("1.2.3", ".3"), ("x-3", "3"),
    ],
)  # fmt: skip
def test_the_last_number_of_a_text(text: str, number: str) -> None:
    from decimal import Decimal

    assert last_number(text.replace("1 000 000", "1\u202f000\u202f000")) == Decimal(number)


@pytest.mark.parametrize(
    ("config", "gold"),
    [
        ("exact", " "), ("normalised", " ... "), ("contains", ""), ("numeric", "none"),
        ("json", "{"), (KEYS, '{"team": "x"}'), (KEYS, "[1]"),
    ],
)  # fmt: skip
def test_golds_that_cannot_be_scored_are_refused(config: Any, gold: str) -> None:
    assert _scorer(config).refusal(gold)


@pytest.mark.parametrize(
    "config",
    [
        "exactly", {"kind": "exact", "stripped": True}, {"kind": "json", "keys": []},
        {"kind": "numeric", "tolerance": -1},
        {"kind": "json_schema", "schema": {"type": "objekt"}},
        {"kind": "json_schema", "schema": {"$ref": "https://example.org/schema.json"}},
    ],
)  # fmt: skip
def test_scorers_that_do_not_exist_or_make_no_sense_are_refused(config: Any) -> None:
    with pytest.raises(ValidationError):
        _scorer(config)


def test_the_registry_names_every_scorer() -> None:
    tags = TypeAdapter(ScorerConfig).json_schema()["discriminator"]["mapping"]
    assert set(tags) == {
        *("exact", "normalised", "contains", "numeric", "maths"),
        *("regex", "json", "json_schema", "code", "f1", "rouge_l", "chrf", "bleu"),
        *("refusal", "length", "language", "similarity", "python", "constraints"),
    }


@pytest.mark.parametrize("tolerance", [0.0, 0.01])
@pytest.mark.parametrize("output", ["1e9999999", "-1e9999999", "1e-9999999", "9" * 5000])
def test_a_number_of_any_size_is_wrong_and_never_an_error(output: str, tolerance: float) -> None:
    found = _scorer({"kind": "numeric", "tolerance": tolerance}).score(output, Item("1", gold="7"))
    assert found.value == 0.0
    assert found.detail


def test_a_number_too_small_to_subtract_is_not_zero() -> None:
    assert _scorer("numeric").score("1e-9999999", Item("1", gold="0")).value == 0.0
    assert _scorer("numeric").score("1e9999999", Item("1", gold="10e9999998")).value == 1.0
