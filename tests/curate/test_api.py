"""The same acts from Python."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import curate as package
from workspace.errors import DataError, UsageError


def test_a_whole_curation_in_a_few_lines(
    lines: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["apple", "pear", "plum", "grape", "melon", "lemon", "cherry", "peach", "fig", "kiwi"]
    rows = [{"question": f"Where do I buy a {a} {b}?", "answer": "At the market."}
            for a in words for b in words]  # fmt: skip
    path = lines([*rows, rows[0]])
    (tmp_path / "test.jsonl").write_text(json.dumps({"question": "Where do I buy a fig kiwi"}))
    read = package.read(path)
    assert (read.type, read.ledger.rows_read) == ("messages", 101)
    unique = package.dedupe(read.frame, threshold=1)
    assert unique.dropped["reason"].to_list() == ["exact_duplicate"]
    clean = package.decontaminate(unique.kept, files=[("test.jsonl", "question")])
    assert clean.dropped["reason"].to_list().count("leak_exact") == 1
    parts = package.split(clean.kept, validation=0, test=0.1, similarity=1.0)
    assert set(parts) == {"train", "test"}
    assert sum(part.collect().height for part in parts.values()) == 100 - clean.dropped.height


def test_frames_of_ones_own_need_only_the_columns_of_a_type() -> None:
    frame = pl.DataFrame({"text": ["one two three", "One, two, three!", "four"]})
    assert package.dedupe(frame).kept.collect()["text"].to_list() == ["one two three", "four"]


def test_a_frame_of_no_type_says_so() -> None:
    with pytest.raises(DataError, match="no known dataset type"):
        package.dedupe(pl.DataFrame({"a": [1]}))


def test_a_frame_in_place_of_a_file_is_told_where_it_belongs() -> None:
    with pytest.raises(UsageError, match="reads files") as caught:
        package.read(pl.LazyFrame({"prompt": ["a"], "completion": ["b"]}))  # type: ignore[arg-type]
    assert "a LazyFrame" in caught.value.cause and "sink_parquet" in caught.value.cure


@pytest.mark.parametrize(
    ("name", "settings", "place", "cause", "cure"),
    [
        (
            "near_duplicates",
            {"treshold": 0.9},
            "near_duplicates.treshold",
            "keep, text, threshold",
            "`thre",
        ),
        (
            "filter",
            {"length": {"min_word": 3}},
            "filter.length.min_word",
            "max_words",
            "`min_words`",
        ),
        ("near_duplicates", {"threshold": "high"}, "near_duplicates.threshold", "'high'", ""),
        ("near_duplicates", {"keep": "frist"}, "near_duplicates.keep", "'frist'", "`first`"),
    ],
)
def test_a_misspelt_setting_is_told_with_what_there_is(
    name: str, settings: dict[str, Any], place: str, cause: str, cure: str
) -> None:
    with pytest.raises(UsageError, match="this value cannot be used") as caught:
        package.step(pl.DataFrame({"text": ["one"]}), name, **settings)
    assert caught.value.where == place
    assert cause in caught.value.cause and cure in caught.value.cure


TURN = {"role": "user", "content": "a"}


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        ({"prompt": ["a"], "completion": ["b"]}, "`prompt` holds no turns"),
        ({"messages": [[{"from": "user", "value": "a"}]]}, "`messages` holds no turns"),
        ({"messages": [[{"role": "user", "content": 5}]]}, "`content` of a turn must be text"),
        ({"text": [1]}, "`text` must hold text"),
        ({"messages": [[TURN]], "tools": [[{"name": "f"}]]}, "`tools` must hold JSON text"),
        ({"prompt": [[TURN]], "completion": [[TURN]], "label": [None]}, "whether it is good"),
    ],
)
@pytest.mark.parametrize("act", [package.repair, package.redact, package.dedupe, package.split])
def test_columns_that_hold_something_else_are_named(frame: Any, said: str, act: Any) -> None:
    with pytest.raises(DataError, match=said):
        act(pl.DataFrame(frame))


def test_frames_with_nulls_and_categories_are_used() -> None:
    nothing = {"role": "user", "content": None}
    frame = pl.DataFrame({"messages": [[nothing, {"role": "assistant", "content": None}]] * 3})
    assert package.filter(frame, preset="web", length={"min_words": 1}).dropped.height == 3
    assert package.dedupe(frame).kept.collect().height == 1
    named = pl.DataFrame({"text": ["one", "two"], "id": [None, "x"]})
    categories = named.with_columns(pl.col("text").cast(pl.Categorical))
    balanced = package.balance(
        categories.with_columns(source=pl.lit("s")), "source", cap=1, count="rows"
    )
    assert balanced.kept.collect().height == 1


def test_accounts_and_decisions_are_functions_too(
    lines: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    pairs = [("where is my card", "on its way"), ("where is my card", "on its way"), ("why", "so")]
    lines([{"prompt": ask, "completion": say} for ask, say in pairs])
    (tmp_path / "temper.yaml").write_text(
        "name: mine\ncurate: {sources: [rows.jsonl], steps: [exact_duplicates]}\n"
    )
    assert package.stats("rows.jsonl")["sources"][0]["formats"] == {"prompt_completion": 3}
    first = package.run("temper.yaml").path
    assert first is not None
    (gone,) = package.dropped(reason="exact_duplicate")
    assert (gone.place, gone.partner_place) == ("rows.jsonl:2", "rows.jsonl:1")
    story = package.explain("rows.jsonl:2", dataset="mine")
    assert story["verdict"] == "dropped at exact_duplicates"
    assert package.restore("rows.jsonl:2", why="twice").new == 1
    assert package.drop("rows.jsonl:3").new == 1
    assert package.edit("rows.jsonl:1", "messages.1", "It is on its way.").new == 1
    second = package.run("temper.yaml").path
    assert second is not None
    found = package.diff(first, second)
    counts = {(one.what, one.rows) for one in found.groups}
    assert counts == {("came", 1), ("went", 1), ("changed", 1)}
    assert package.undecide(package.explain("rows.jsonl:2")["id"]).new == 1
    with pytest.raises(UsageError, match="no row is named"):
        package.restore()


def test_near_duplicates_of_one_field_go_and_the_best_stays() -> None:
    ask = "please tell me how I can change the address that is written on my bank card"
    rows = [
        {"prompt": ask, "completion": "In the app.", "quality": 0.9},
        {"prompt": f"{ask} today", "completion": "Call us or visit a branch.", "quality": 0.1},
        {"prompt": "what is it", "completion": "A card.", "quality": 0.5},
    ]
    turns = [
        {
            "messages": [
                {"role": "user", "content": row["prompt"]},
                {"role": "assistant", "content": row["completion"]},
            ],
            "quality": row["quality"],
        }
        for row in rows
    ]
    frame = pl.DataFrame(turns).lazy()
    assert package.dedupe(frame).dropped.is_empty()
    found = {
        keep: package.dedupe(frame, text="prompt", keep=keep).dropped["_row"].to_list()
        for keep in ("longest", "quality", "first")
    }
    assert found == {"longest": [0], "quality": [1], "first": [1]}


def test_the_answer_beside_a_partial_match_makes_it_a_leak(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    item = (
        "A train leaves the harbour at noon and drives along the coast for three hours before it "
        "comes to the old bridge where the miller waits"
    )
    (tmp_path / "exam.jsonl").write_text(json.dumps({"q": item, "a": "at half past three"}))
    part = " ".join(item.split()[:19])
    texts = [f"{part}. And then? It was at half past three.", f"{part}. And then? Nobody came."]
    frame = pl.DataFrame({"text": texts})
    alone = package.decontaminate(frame, files=[("exam.jsonl", "q")])
    assert alone.dropped.is_empty()
    with_answer = package.decontaminate(frame, files=[("exam.jsonl", "q", "a")])
    assert with_answer.dropped.select("_row", "reason").rows() == [(0, "leak_ngram")]


def test_names_that_are_not_there_are_not_there() -> None:
    with pytest.raises(AttributeError):
        package.missing  # noqa: B018
    assert "dedupe" in dir(package)
