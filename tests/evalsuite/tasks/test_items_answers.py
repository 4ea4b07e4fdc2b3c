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
