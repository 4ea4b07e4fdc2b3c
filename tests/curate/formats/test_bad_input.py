"""Rows and files that nobody means to write, through a whole curation: no crash, none lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

Lines = Callable[..., Path]
Curate = Callable[..., Any]
STEPS = ["empty_answers", "exact_duplicates", {"near_duplicates": {"threshold": 0.8}}]
NOTHINGS = ["\u200b", "\u00ad\u2060", "\u0301", "\ufeff", " \u3000", "\ue000", "\ufffe"]


def balanced(result: Any) -> bool:
    """Whether every row read is in the dataset or among the dropped."""
    dropped = pl.read_parquet(result.path / "dropped.parquet").height
    kept = sum(
        pl.read_parquet(result.path / f"{split}.parquet").height for split in result.ledger.splits
    )
    return int(result.ledger.rows_read) == kept + dropped


def test_text_that_normalises_to_nothing_is_neither_lost_nor_equal_to_other_text(
    lines: Lines, curate: Curate
) -> None:
    rows = [{"prompt": text, "completion": f"answer {at}"} for at, text in enumerate(NOTHINGS)]
    rows += [{"prompt": f"question {at}?", "completion": text} for at, text in enumerate(NOTHINGS)]
    rows += [{"prompt": "Where?", "completion": "Here."}]
    section = {"sources": [lines(rows).name], "steps": STEPS, "circuit_breaker": 1.0}
    result = curate({**section, "split": {"test": 2}})
    assert balanced(result)
    kept = pl.concat(
        [pl.read_parquet(result.path / f"{name}.parquet") for name in result.ledger.splits]
    )
    asked = [turns[0]["content"] for turns in kept["messages"].to_list()]
    assert "Where?" in asked
    assert len(asked) == len({*asked})


@pytest.mark.slow
@pytest.mark.parametrize("steps", [[], STEPS], ids=["read alone", "deduplicated"])
def test_a_hundred_thousand_equal_rows(tmp_path: Path, curate: Curate, steps: list[Any]) -> None:
    line = json.dumps({"prompt": "Where is it?", "completion": "Over there."}) + "\n"
    (tmp_path / "rows.jsonl").write_text(line * 100_000)
    section = {"sources": ["rows.jsonl"], "steps": steps, "circuit_breaker": 1.0}
    result = curate(section)
    assert balanced(result)
    assert result.ledger.rows_kept == (1 if steps else 100_000)
    train = pl.read_parquet(result.path / "train.parquet")
    assert train["id"].n_unique() == train.height


@pytest.mark.slow
def test_one_row_of_nearly_ten_megabytes_goes_through(tmp_path: Path, curate: Curate) -> None:
    long = " ".join(f"word{number % 5000}" for number in range(1_000_000))
    rows = [
        {"prompt": "Tell me all.", "completion": long},
        {"prompt": "Tell me all.", "completion": f"{long} more"},
        {"prompt": "Say it shortly.", "completion": "All."},
    ]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    assert 8_000_000 < len(text) / 2 < 10 * 2**20
    (tmp_path / "rows.jsonl").write_text(text)
    result = curate({"sources": ["rows.jsonl"], "steps": STEPS, "circuit_breaker": 1.0})
    assert balanced(result)
    assert result.ledger.rows_kept == 2


def test_every_format_in_one_file_is_read_row_by_row(lines: Lines, curate: Curate) -> None:
    user = {"role": "user", "content": "What is the weather in Paris?"}
    call = {
        "id": "1",
        "type": "function",
        "function": {"name": "weather", "arguments": {"city": "Paris"}},
    }
    tools = [{"type": "function", "function": {"name": "weather", "parameters": {}}}]
    rows: list[Any] = [
        {"messages": [user, {"role": "assistant", "content": "Sunny."}]},
        {
            "messages": [
                {"role": "system", "content": "Be brief."},
                user,
                {"role": "assistant", "content": None, "tool_calls": [call]},
                {"role": "tool", "content": "20 °C", "tool_call_id": "1"},
                {"role": "assistant", "content": "20 °C."},
                {"role": "user", "content": "And Rome?"},
                {"role": "assistant", "content": "25 °C."},
            ],
            "tools": tools,
        },
        {
            "conversations": [
                {"from": "human", "value": "Add 1 and 2."},
                {"from": "function_call", "value": '{"name": "add", "arguments": {"a": 1}}'},
                {"from": "observation", "value": "3"},
                {"from": "gpt", "value": "3"},
            ],
            "system": "You calculate.",
        },
        {"instruction": "Translate.", "input": "chat", "output": "cat", "history": [["a", "b"]]},
        {"question": "What is 2+2?", "answer": "Two and two.\n#### 4"},
        {"prompt": [user], "completion": [{"role": "assistant", "content": "Rain."}]},
        {"prompt": "Which?", "chosen": "this", "rejected": "that"},
        {"prompt": "Good?", "completion": "yes", "label": True},
        {"text": "Only text."},
    ]
    (path,) = [lines(rows)]
    result = curate({"sources": [path.name], "max_quarantine": 0.5})
    assert balanced(result)
    (source,) = result.ledger.sources
    assert source["formats"] == {
        "alpaca": 1,
        "kto": 1,
        "messages": 2,
        "preference": 1,
        "prompt_completion": 1,
        "question_answer": 1,
        "sharegpt": 1,
        "text": 1,
    }
    train = pl.read_parquet(result.path / "train.parquet")
    shown = [[turn["role"] for turn in turns] for turns in train["messages"].to_list()]
    assert shown[1] == ["system", "user", "assistant", "tool", "assistant", "user", "assistant"]
    assert shown[2] == ["system", "user", "assistant", "tool", "assistant"]
    assert shown[3] == ["user", "assistant", "user", "assistant"]
    calls = train["messages"][1][2]["tool_calls"]
    assert calls[0]["function"]["arguments"] == '{"city":"Paris"}'
    assert json.loads(train["tools"][1]) == tools
    dropped = pl.read_parquet(result.path / "dropped.parquet")
    assert dropped["reason"].to_list() == ["type"] * 3
    for kind, column, value in (
        ("preference", "chosen", [["this"]]),
        ("unpaired_preference", "label", [True]),
        ("answer", "answer", ["4"]),
        ("text", "text", ["Only text."]),
    ):
        made = curate({"sources": [path.name], "type": kind, "max_quarantine": 1.0})
        held = pl.read_parquet(made.path / "train.parquet")[column].to_list()
        said = [[turn["content"] for turn in one] if isinstance(one, list) else one for one in held]
        assert said == value


def test_the_ledger_says_by_which_columns_rows_were_recognised(
    lines: Lines, curate: Curate
) -> None:
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    rows = [
        {"q": "a", "messages": turns, "text": "a b"},
        {"q": "a", "messages": turns, "text": None},
        {"instruction": "a", "output": "b", "prompt": "c", "completion": "d"},
        {"q": "a", "messages": turns, "text": "c d"},
    ]
    result = curate({"sources": [lines(rows).name]})
    assert result.ledger.sources[0]["detected"] == [
        {
            "format": "messages",
            "columns": ["messages"],
            "also": ["text"],
            "rows": 2,
            "first_row": 1,
        },
        {"format": "messages", "columns": ["messages"], "also": [], "rows": 1, "first_row": 2},
        {
            "format": "alpaca",
            "columns": ["instruction", "output"],
            "also": ["prompt_completion"],
            "rows": 1,
            "first_row": 3,
        },
    ]
    section = {"path": "rows.jsonl", "columns": {"prompt": "q", "completion": "text"}}
    named = curate({"sources": [section], "max_quarantine": 0.5}).ledger.sources[0]
    assert named["detected"][0]["columns"] == ["q", "text"]
