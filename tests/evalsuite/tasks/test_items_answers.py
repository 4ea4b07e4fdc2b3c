"""Rows that carry a whole conversation are asked without its last answer, which is the gold."""

import json
from pathlib import Path

import pytest

from evalsuite.scorers.exact import ExactScorer
from evalsuite.tasks.items import load_items
from evalsuite.tasks.schema import Task
from workspace.errors import DataError


def rows(tmp_path: Path, *conversations: list[tuple[str, str]]) -> Path:
    path = tmp_path / "test.jsonl"
    lines = [
        {"id": f"r{number}", "messages": [{"role": r, "content": c} for r, c in conversation]}
        for number, conversation in enumerate(conversations)
    ]
    path.write_text("\n".join(map(json.dumps, lines)))
    return path


TASK = Task(name="mine", kind="generation", data="test.jsonl", scorer=ExactScorer(kind="exact"))


def test_the_last_assistant_turn_is_the_gold(tmp_path: Path) -> None:
    turns = [("user", "a?"), ("assistant", "b"), ("user", "c?"), ("assistant", "d")]
    (item,) = load_items(TASK, rows(tmp_path, turns))
    assert item.gold == "d"
    assert [message.content for message in item.messages] == ["a?", "b", "c?"]


@pytest.mark.parametrize("turns", [[("user", "a?")], [("assistant", "b")]])
def test_a_conversation_without_question_or_answer_is_refused(
    tmp_path: Path, turns: list[tuple[str, str]]
) -> None:
    with pytest.raises(DataError, match="cannot be used"):
        load_items(TASK, rows(tmp_path, turns))


def several(tmp_path: Path, scorer: str, *answers: object) -> Task:
    lines = [
        {"id": f"r{number}", "question": "?", "answers": value}
        for number, value in enumerate(answers)
    ]
    (tmp_path / "test.jsonl").write_text("\n".join(map(json.dumps, lines)))
    return Task.model_validate(
        {
            "name": "mine", "kind": "generation", "data": "test.jsonl",
            "prompt": "{{ question }}", "gold": "{{ answers }}", "scorer": scorer,
        }
    )  # fmt: skip


def test_a_list_of_golds_is_several_right_answers(tmp_path: Path) -> None:
    task = several(tmp_path, "f1", ["Rome", "Roma", "Rome"], ["one"], "two", 3, [4, 5.5])
    items = load_items(task, tmp_path / "test.jsonl")
    assert [item.right_answers for item in items] == [
        ("Rome", "Roma"), ("one",), ("two",), ("3",), ("4", "5.5"),
    ]  # fmt: skip
    assert [item.gold for item in items] == ["Rome", "one", "two", "3", "4"]
    assert items[0].shown_gold == "Rome | Roma"
    assert items[0].digest != load_items(task, tmp_path / "test.jsonl")[1].digest


def test_a_list_is_one_gold_for_scorers_of_documents(tmp_path: Path) -> None:
    task = several(tmp_path, "json", [1, 2])
    (item,) = load_items(task, tmp_path / "test.jsonl")
    assert (item.gold, item.golds) == ("[1, 2]", ())


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ([], "an empty list"),
        (["x", None], "Found nothing"),
        (["x", ""], "Found nothing"),
        (["x", "..."], "without words"),
        (["x", ["b"]], r"\['b'\] in the list"),
        (["x", {"b": 1}], "in the list"),
        (None, "Found nothing"),
    ],
)
def test_golds_that_are_none_are_refused_with_their_row(
    tmp_path: Path, value: object, found: str
) -> None:
    task = several(tmp_path, "f1", "fine", value)
    with pytest.raises(DataError, match=found) as caught:
        load_items(task, tmp_path / "test.jsonl")
    assert "test.jsonl:2: gold" in str(caught.value)


def chosen(tmp_path: Path, choices: list[str], gold: object) -> str:
    row = {"id": "a", "q": "?", "options": choices, "answer": gold}
    (tmp_path / "test.jsonl").write_text(json.dumps(row))
    task = Task.model_validate(
        {
            "name": "mine", "kind": "choice", "data": "test.jsonl", "prompt": "{{ q }}",
            "choices": "{{ options }}", "gold": "{{ answer }}",
        }
    )  # fmt: skip
    return load_items(task, tmp_path / "test.jsonl")[0].gold


def test_a_number_that_is_a_text_and_another_index_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be used") as refused:
        chosen(tmp_path, ["1", "0"], 1)
    assert "the number 1, which is a choice's text and the index of '0'" in refused.value.cause
    assert "in quotes" in refused.value.cure
    assert chosen(tmp_path, ["1", "0"], "1") == "1"  # text is a text first
    assert chosen(tmp_path, ["0", "1"], 1) == "1"  # both ways mean the same choice
    assert chosen(tmp_path, ["3", "4", "5"], 4) == "4"  # no index
    assert chosen(tmp_path, ["yes", "no"], 1) == "no"
