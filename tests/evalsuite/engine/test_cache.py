"""No model is ever given another model's answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalsuite.engine.cache import AnswerStore
from evalsuite.engine.requests import (
    Answer,
    ChoiceAnswer,
    ChoiceRequest,
    GenerateRequest,
    Generation,
    TextAnswer,
    TextRequest,
)
from workspace.errors import WorkError

MARK = {
    "model": "base", "adapter": "", "dtype": "float32", "template": "t", "tokenizer": "k",
    "device": "cpu", "batch": "16384 tokens, 256 rows",
}  # fmt: skip
ANSWER = Generation((1, 2), -0.5, True, 0.1)


def test_stored_answers_come_back_as_they_were(tmp_path: Path) -> None:
    answers: list[Answer] = [
        ANSWER, ChoiceAnswer((-1.5, -2.25), (True, False), 0.2), TextAnswer(-30.125, 7, 0.3)
    ]  # fmt: skip
    AnswerStore(tmp_path, MARK).put("batch", answers)
    kinds = [GenerateRequest.kind, ChoiceRequest.kind, TextRequest.kind]
    assert AnswerStore(tmp_path, MARK).get("batch", kinds) == answers


@pytest.mark.parametrize("field", sorted(MARK))
def test_answers_are_not_found_under_any_other_fingerprint(tmp_path: Path, field: str) -> None:
    AnswerStore(tmp_path, MARK).put("batch", [ANSWER])
    for value in ("other", MARK[field] + " "):
        assert AnswerStore(tmp_path, {**MARK, field: value}).get("batch", ["generate"]) is None


def test_moving_text_between_fields_is_another_fingerprint(tmp_path: Path) -> None:
    one = {**MARK, "model": "ab", "adapter": "c"}
    other = {**MARK, "model": "a", "adapter": "bc"}
    assert AnswerStore(tmp_path, one).path != AnswerStore(tmp_path, other).path


tokens = st.lists(st.integers(0, 20), min_size=1, max_size=4).map(tuple)
generations = st.builds(
    GenerateRequest, tokens, st.integers(1, 3), st.lists(st.integers(0, 3), max_size=2).map(tuple)
)
choices = st.builds(ChoiceRequest, tokens, st.lists(tokens, min_size=1, max_size=3).map(tuple))
texts = st.builds(TextRequest, tokens, st.integers(0, 2), st.integers(1, 3))


@given(st.lists(st.one_of(generations, choices, texts), min_size=2, max_size=6))
def test_requests_share_a_key_only_if_they_are_equal(requests: list[GenerateRequest]) -> None:
    for one in requests:
        for other in requests:
            same = type(one) is type(other) and one == other
            assert (one.key == other.key) == same


def test_a_torn_last_line_is_asked_again_and_swallows_nothing(tmp_path: Path) -> None:
    store = AnswerStore(tmp_path, MARK)
    store.put("one", [ANSWER])
    file = store.path / "answers.jsonl"
    file.write_bytes(file.read_bytes() + b'{"batch": "two", "answ')
    again = AnswerStore(tmp_path, MARK)
    assert again.get("two", ["generate"]) is None
    again.put("two", [ANSWER])
    final = AnswerStore(tmp_path, MARK)
    assert final.get("one", ["generate"]) == final.get("two", ["generate"]) == [ANSWER]


def test_answers_of_another_shape_are_asked_again(tmp_path: Path) -> None:
    store = AnswerStore(tmp_path, MARK)
    line = json.dumps({"batch": "one", "answers": [{"text": "from an older version"}]})
    (store.path / "answers.jsonl").write_text(line + "\n")
    assert AnswerStore(tmp_path, MARK).get("one", ["generate"]) is None


def test_a_store_that_says_it_is_of_another_model_is_refused(tmp_path: Path) -> None:
    record = AnswerStore(tmp_path, MARK).path / "fingerprint.json"
    document = json.loads(record.read_text())
    document["fingerprint"]["model"] = "tuned"
    record.write_text(json.dumps(document))
    with pytest.raises(WorkError, match="another model"):
        AnswerStore(tmp_path, MARK)
