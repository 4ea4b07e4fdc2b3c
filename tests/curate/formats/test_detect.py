"""Each row format, recognised from its keys and brought into one shape."""

from __future__ import annotations

from typing import Any

import pytest

from curate.formats.detect import RowFormat, detect, normalise
from curate.formats.raw import Misfit
from curate.reasons import Reason

ASK = {"role": "user", "content": "2+2?"}
SAY = {"role": "assistant", "content": "4"}
SYSTEM = {"role": "system", "content": "Be brief."}

CONVERSATIONS = [
    ({"instruction": "2+2?", "input": "", "output": "4"}, RowFormat.ALPACA),
    ({"instruction": "2+2?", "output": "4", "text": "### Instruction"}, RowFormat.ALPACA),
    ({"messages": [ASK, SAY]}, RowFormat.MESSAGES),
    (
        {"conversations": [{"from": "human", "value": "2+2?"}, {"from": "gpt", "value": "4"}]},
        RowFormat.SHAREGPT,
    ),
    ({"prompt": "2+2?", "completion": "4"}, RowFormat.PROMPT_COMPLETION),
    ({"prompt": [ASK], "completion": [SAY]}, RowFormat.PROMPT_COMPLETION),
    ({"prompt": "2+2?", "response": "4"}, RowFormat.PROMPT_COMPLETION),
    ({"question": "2+2?", "answer": "4"}, RowFormat.QUESTION_ANSWER),
    ({"problem": "2+2?", "solution": "4"}, RowFormat.QUESTION_ANSWER),
    ({"prompt": "2+2?", "completion": 4}, RowFormat.PROMPT_COMPLETION),
    ({"prompt": "2+2?", "answer": "4"}, RowFormat.PROMPT_ANSWER),
    ({"prompt": [ASK], "answer": 4}, RowFormat.PROMPT_ANSWER),
    ({"prompt": [ASK], "answer": "4", "text": "2+2?4"}, RowFormat.PROMPT_ANSWER),
    ({"prompt": "2+2?", "completion": "4", "answer": "5"}, RowFormat.PROMPT_COMPLETION),
    ({"question": "2+2?", "answer": "4", "prompt": "x"}, RowFormat.QUESTION_ANSWER),
]


@pytest.mark.parametrize(("row", "name"), CONVERSATIONS)
def test_every_way_to_write_a_question_and_an_answer(row: dict[str, Any], name: RowFormat) -> None:
    found, normal = normalise(row)
    assert found is name
    assert normal.messages == [ASK, SAY]


def test_keys_that_are_null_do_not_decide() -> None:
    row = {"messages": None, "instruction": "2+2?", "input": None, "output": "4", "chosen": None}
    assert detect(row) is RowFormat.ALPACA


def test_an_alpaca_input_follows_the_instruction_after_a_blank_line() -> None:
    _, row = normalise({"instruction": "Translate.", "input": "chat", "output": "cat"})
    assert row.messages is not None
    assert row.messages[0]["content"] == "Translate.\n\nchat"


def test_history_and_system_become_turns() -> None:
    _, row = normalise(
        {"instruction": "2+2?", "output": "4", "system": "Be brief.", "history": [["Hi", "Hello"]]}
    )
    assert row.messages is not None
    assert [turn["role"] for turn in row.messages] == [
        "system",
        "user",
        "assistant",
        "user",
        "assistant",
    ]


def test_a_preference_without_prompt_has_the_common_turns_as_prompt() -> None:
    _, row = normalise(
        {"chosen": [ASK, SAY], "rejected": [ASK, {"role": "assistant", "content": "5"}]}
    )
    assert (row.prompt, row.chosen) == ([ASK], [SAY])


def test_a_transcript_with_human_and_assistant_marks_is_a_preference() -> None:
    _, row = normalise(
        {
            "chosen": "\n\nHuman: 2+2?\n\nAssistant: 4",
            "rejected": "\n\nHuman: 2+2?\n\nAssistant: 5",
        }
    )
    assert (row.prompt, row.chosen) == ([ASK], [SAY])


def test_a_preference_with_prompt_is_recognised() -> None:
    found, row = normalise({"prompt": "2+2?", "chosen": "4", "rejected": "5"})
    assert found is RowFormat.PREFERENCE
    assert (row.prompt, row.chosen) == ([ASK], [SAY])


def test_kto_needs_a_label_that_is_true_or_false() -> None:
    found, row = normalise({"prompt": "2+2?", "completion": "4", "label": True})
    assert (found, row.kind, row.label) == (RowFormat.KTO, "unpaired_preference", True)
    assert detect({"prompt": "a", "completion": "b", "label": 7}) is RowFormat.PROMPT_COMPLETION


def test_kto_and_questions_keep_their_system_prompt_and_tools() -> None:
    extra = {"system": "Be brief.", "tools": [{"name": "add"}]}
    _, kto = normalise({"prompt": "2+2?", "completion": "4", "label": True, **extra})
    assert (kto.prompt, kto.tools) == ([SYSTEM, ASK], '[{"name":"add"}]')
    _, asked = normalise({"question": "2+2?", "answer": "4", **extra})
    assert (asked.messages, asked.tools) == ([SYSTEM, ASK, SAY], '[{"name":"add"}]')


def test_the_answer_is_the_first_key_that_has_one() -> None:
    _, row = normalise({"instruction": "2+2?", "output": None, "response": "4"})
    assert row.messages == [ASK, SAY]


def test_the_final_number_of_gsm8k_is_kept_as_the_gold() -> None:
    _, row = normalise({"question": "?", "answer": "2*600=<<2*600=1200>>1200\n#### 1,200"})
    assert row.answer == "1200"


def test_the_answer_of_a_prompt_is_the_gold() -> None:
    assert normalise({"prompt": "2+2?", "answer": "4"})[1].answer == "4"
    assert normalise({"prompt": [ASK], "answer": "2+2 is 4. #### 4"})[1].answer == "4"
    with pytest.raises(Misfit, match="`answer` is null"):
        normalise({"prompt": "2+2?", "answer": None})


def test_tool_arguments_of_any_shape_become_json_text() -> None:
    def row(arguments: object) -> dict[str, Any]:
        call = {"id": "1", "function": {"name": "add", "arguments": arguments}}
        return {
            "messages": [
                ASK,
                {"role": "assistant", "content": None, "tool_calls": [call]},
                {"role": "tool", "content": "4", "tool_call_id": "1"},
                SAY,
            ]
        }

    for arguments, text in (
        ({"a": 2}, '{"a":2}'),
        ('{"a": 2}', '{"a": 2}'),
        ([1], "[1]"),
        (None, "{}"),
    ):
        _, normal = normalise(row(arguments))
        assert normal.messages is not None
        assert normal.messages[1]["tool_calls"][0]["function"]["arguments"] == text


def test_sharegpt_function_calls_become_tool_calls() -> None:
    _, row = normalise(
        {
            "conversations": [
                {"from": "human", "value": "2+2?"},
                {"from": "function_call", "value": '{"name": "add", "arguments": {"a": 2}}'},
                {"from": "observation", "value": "4"},
                {"from": "gpt", "value": "4"},
            ],
            "tools": [{"name": "add"}],
        }
    )
    assert row.messages is not None
    assert row.messages[1]["tool_calls"][0]["function"]["name"] == "add"
    assert row.tools == '[{"name":"add"}]'


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"a": 1}, Reason.NO_FORMAT),
        ({}, Reason.NO_FORMAT),
        ([1, 2], Reason.NOT_AN_OBJECT),
        ("text", Reason.NOT_AN_OBJECT),
        (None, Reason.NOT_AN_OBJECT),
        ({"prompt": "a", "completion": None}, Reason.NULL_ANSWER),
        ({"prompt": None, "completion": "a"}, Reason.NULL_PROMPT),
        ({"instruction": "a", "output": {"x": 1}}, Reason.NOT_TEXT),
        ({"messages": [ASK]}, Reason.NO_ANSWER),
        ({"messages": []}, Reason.NO_FORMAT),
        ({"messages": ""}, Reason.NO_FORMAT),
        ({"messages": None}, Reason.NOT_TEXT),
        ({"messages": [ASK, {**SAY, "tool_calls": 1}]}, Reason.NO_FORMAT),
        ({"instruction": "a", "output": "b", "history": 5}, Reason.NO_FORMAT),
        ({"prompt": "a", "completion": float("nan")}, Reason.NULL_ANSWER),
        ({"prompt": "a", "completion": float("inf")}, Reason.NOT_TEXT),
        ({"messages": [ASK, {"role": "assistant", "content": None}]}, Reason.NULL_ANSWER),
        ({"messages": [{"role": "wizard", "content": "a"}, SAY]}, Reason.UNKNOWN_ROLE),
        ({"messages": "not turns"}, Reason.NOT_TEXT),
        ({"messages": [ASK, "4"]}, Reason.NOT_TEXT),
        ({"chosen": "a", "rejected": "b"}, Reason.NO_FORMAT),
        ({"text": None}, Reason.NULL_ANSWER),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url"}]}, SAY]},
            Reason.NOT_TEXT,
        ),
    ],
)
def test_a_row_that_fits_nothing_has_a_reason(row: object, reason: Reason) -> None:
    with pytest.raises(Misfit) as caught:
        normalise(row)
    assert caught.value.reason is reason
    assert caught.value.detail
