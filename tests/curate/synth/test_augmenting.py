"""Whole augmentations against the scripted server: rows, reasons, account, resumption."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from curate.explaining import find_row
from workspace.errors import DataError, UsageError, WorkError

Served = Any
Body = dict[str, Any]


def section(served: Served, **changes: Any) -> dict[str, Any]:
    return {
        "backend": served.backend(price={"input": 1.0, "output": 2.0}),
        "generate": ["paraphrase"],
        "target": {"rows": 12},
        "batch": 16,
        **changes,
    }


def table(result: Any, name: str) -> pl.DataFrame:
    return pl.read_parquet(result.path / f"{name}.parquet")


def test_made_rows_become_a_dataset_with_parents_and_costs(
    served: Served, augment: Any, reworded: Any
) -> None:
    served.script.answer = reworded
    result = augment(section(served))
    rows, made = table(result, "train"), table(result, "made")
    assert rows.height == 12 and result.type == "messages"
    source = pl.read_parquet(result.path.parents[1] / "made" / "current" / "train.parquet")
    answers = {
        row["id"]: (row["messages"][1]["content"], row["meta"]["label"])
        for row in source.iter_rows(named=True)
    }
    for row in rows.iter_rows(named=True):
        parent = row["meta"]["parents"][0]
        assert (row["messages"][1]["content"], row["meta"]["label"]) == answers[parent]
        assert row["meta"]["source"] == "augment/paraphrase"
    assert made["accepted"].sum() == 12
    assert made["cost"].sum() == pytest.approx(result.spent.money)
    assert result.spent.money == pytest.approx(len(served.script.requests) * 20 / 1e6)
    assert made["model"].unique().to_list() == ["scripted"]
    assert made["prompt_hash"].n_unique() == made.filter(pl.col("requests").list.len() > 0).height
    ledger = json.loads((result.path / "ledger.json").read_text(encoding="utf-8"))
    assert ledger["rows"]["made"] == ledger["rows"]["kept"] + ledger["rows"]["dropped"]
    assert served.url in (result.path / "README.md").read_text(encoding="utf-8")
    story = find_row(result.path, rows["id"][0])
    assert rows["meta"][0]["parents"][0] in story["made at generate"]


def test_made_rows_go_into_the_next_curation_with_parents_and_labels(
    served: Served, augment: Any, reworded: Any, tmp_path: Path
) -> None:
    import curate

    served.script.answer = reworded
    result = augment(section(served))
    again = curate.read(tmp_path / "rows.jsonl", result.path / "train.parquet")
    frame = again.frame.collect()
    made = frame.filter(pl.col("parents").list.len() > 0)
    assert made.height == 12
    assert made["user_label"].null_count() == 0
    assert set(made["parents"].explode()) <= set(frame["id"])
    # Parents and children are on one side of a split, and made rows never in test.
    parts = curate.split(again.frame, validation=0.2, test=0.2)
    sides = {row: name for name, part in parts.items() for row in part.collect()["id"].to_list()}
    for row in made.iter_rows(named=True):
        assert sides[row["id"]] == sides[row["parents"][0]] != "test"


def test_the_same_command_again_pays_nothing_and_makes_the_same(
    served: Served, augment: Any, reworded: Any
) -> None:
    served.script.answer = reworded
    first = augment(section(served))
    sent = len(served.script.requests)
    second = augment(section(served))
    assert second.path == first.path and second.existed
    assert len(served.script.requests) == sent


def test_more_rows_pay_only_for_the_new_ones(served: Served, augment: Any, reworded: Any) -> None:
    served.script.answer = reworded
    augment(section(served))
    before = Counter(served.script.paid)
    augment(section(served, target={"rows": 30}))
    assert set(served.script.paid.values()) == {1}
    assert len(served.script.paid) > len(before)


def test_concurrency_does_not_change_what_is_made(
    served: Served, augment: Any, reworded: Any
) -> None:
    served.script.answer = reworded
    ids = []
    for concurrency in (1, 16):
        backend = served.backend(concurrency=concurrency)
        result = augment(section(served, backend=backend, name=f"made-{concurrency}"))
        ids.append(table(result, "train")["id"].to_list())
    assert ids[0] == ids[1]


def test_trouble_does_not_change_what_is_made(served: Served, augment: Any, reworded: Any) -> None:
    served.script.answer = reworded
    calm = table(augment(section(served, name="calm")), "train")["id"].to_list()
    kinds = ["429", "500", "half", "empty", "drop", "503", "", "null"]
    served.script.trouble = lambda nth, tries, body: kinds[(nth * 5) % 8] if tries < 4 else ""
    served.script.keys.clear()
    served.script.paid.clear()
    stormy = table(augment(section(served, name="stormy")), "train")["id"].to_list()
    assert stormy == calm
    assert set(served.script.paid.values()) == {1}


def test_a_row_whose_request_fails_is_dropped_with_its_reason(
    served: Served, augment: Any, reworded: Any
) -> None:
    served.script.answer = reworded
    served.script.trouble = lambda nth, tries, body: "400" if nth % 3 == 0 else ""
    result = augment(section(served))
    dropped = table(result, "dropped")
    assert result.accepted == {"all": 12}
    failed = dropped.filter(pl.col("reason") == "request_failed")
    assert failed.height > 0 and failed["detail"].str.contains("400").all()


def test_replies_of_the_wrong_form_are_sent_back_and_then_dropped(
    served: Served, augment: Any, reworded: Any
) -> None:
    def answer(body: Body) -> str:
        messages = body["messages"]
        number = int(messages[0]["content"].split("item ")[1].split("?")[0])
        if number % 3 == 0:
            return "I would rather not."
        if number % 3 == 1 and len(messages) == 1:
            return '{"question": ""}'
        return "Sure!\n```json\n" + reworded({**body, "messages": messages[:1]}) + "\n```"

    served.script.answer = answer
    result = augment(section(served, repairs=2))
    dropped = table(result, "dropped")
    bad = dropped.filter(pl.col("reason") == "bad_output")
    assert bad.height > 0 and set(bad["raw"]) == {"I would rather not."}
    made = table(result, "made")
    tries = made.filter(pl.col("reason") == "bad_output")["requests"].list.len()
    assert set(tries) == {3}
    repaired = [body for body in served.script.requests if len(body["messages"]) == 3]
    assert "cannot be used" in repaired[0]["messages"][2]["content"]


def test_where_nothing_is_accepted_the_replies_are_shown(served: Served, augment: Any) -> None:
    served.script.answer = lambda body: "I am \x1b[31mred and no JSON"
    with pytest.raises(WorkError, match="no made row was accepted") as caught:
        augment(section(served, repairs=0, give_up=0.1))
    assert "bad_output" in caught.value.cause
    assert "no JSON" in caught.value.cause and "\x1b" not in caught.value.cause


def test_copies_of_the_source_are_no_new_rows(served: Served, augment: Any, reworded: Any) -> None:
    def answer(body: Body) -> str:
        text = body["messages"][-1]["content"]
        if body["seed"] % 2:
            return json.dumps({"question": text.split("----")[1].strip().upper()})
        return str(reworded(body))

    served.script.answer = answer
    result = augment(section(served))
    dropped = table(result, "dropped")
    copies = dropped.filter(pl.col("reason") == "normalised_duplicate")
    assert copies.height > 0 and copies["duplicate_of"].null_count() == 0


def test_evaluation_items_and_set_aside_rows_are_not_made(
    served: Served, augment: Any, reworded: Any, tmp_path: Path
) -> None:
    item = "Which of the seven lighthouses on the northern coast was built first, and by whom?"
    (tmp_path / "items.jsonl").write_text(
        json.dumps({"id": "1", "q": item, "a": "x"}) + "\n", encoding="utf-8"
    )
    task = {"name": "t", "kind": "generation", "data": "items.jsonl", "prompt": "{{ q }}"}
    suite = {"schema_version": 1, "name": "s", "purpose": "target"}
    tasks = [{**task, "gold": "{{ a }}", "scorer": "exact"}]
    (tmp_path / "s.yaml").write_text(json.dumps({**suite, "tasks": tasks}), encoding="utf-8")
    aside: list[str] = []

    def answer(body: Body) -> str:
        if not aside:
            path = tmp_path / "datasets" / "made" / "current" / "validation.parquet"
            aside.append(pl.read_parquet(path)["messages"][0][0]["content"])
        leaks = {0: item, 1: aside[0]}
        leak = leaks.get(body["seed"] % 4)
        return json.dumps({"question": leak}) if leak else str(reworded(body))

    served.script.answer = answer
    result = augment(
        section(served), curated={"split": {"validation": 4}}, evaluate={"suites": ["s.yaml"]}
    )
    leaks = table(result, "dropped").filter(pl.col("reason") == "leak_exact")["detail"].to_list()
    assert any("holds t/1" in detail for detail in leaks)
    assert any("holds validation row" in detail for detail in leaks)
    shown = " ".join(str(body) for body in served.script.requests)
    assert aside[0] not in shown


def test_the_budget_ends_the_job_with_what_was_made(
    served: Served, augment: Any, reworded: Any
) -> None:
    served.script.answer = reworded
    result = augment(section(served, budget={"money": 0.0024}, target={"rows": 60}))
    assert 0 < result.accepted["all"] < 60
    assert result.spent.money + result.unsure.money <= 0.0024
    assert result.making.budget_gone == "money"
    assert any("budget's money" in text for text in result.notes)


def test_a_rare_label_is_brought_up_and_the_others_are_left(
    served: Served, augment: Any, reworded: Any
) -> None:
    served.script.answer = reworded
    target = {"labels": {"least": 10}}
    generate = [{"paraphrase": {"per_row": 8}}]
    result = augment(section(served, target=target, generate=generate))
    assert [(one.name, one.wanted) for one in result.deficits] == [("rare", 6)]
    rows = table(result, "train")
    assert [meta["label"] for meta in rows["meta"]] == ["rare"] * 6


def test_labels_may_be_the_answers(served: Served, augment: Any, reworded: Any) -> None:
    served.script.answer = reworded
    rows = []
    for number, word in enumerate(["amber", "basil", "cedar", "delta", "ember", "fjord"]):
        turns = [
            {"role": "user", "content": f"What about the {word} of item {number}?"},
            {"role": "assistant", "content": "yes" if number else "no"},
        ]
        rows.append({"messages": turns})
    target = {"labels": {"least": 4, "by": "answer"}}
    generate = [{"paraphrase": {"per_row": 8}}]
    result = augment(section(served, target=target, generate=generate), rows=rows)
    assert [(one.name, one.wanted) for one in result.deficits] == [("no", 3)]
    assert result.accepted == {"no": 3}


def test_a_source_without_labels_says_what_to_do(served: Served, augment: Any) -> None:
    rows = [{"prompt": f"What is {n}?", "completion": "x"} for n in range(5)]
    with pytest.raises(DataError, match="have no labels"):
        augment(section(served, target={"labels": {"least": 3}}), rows=rows)


def test_generators_of_two_types_are_refused(served: Served, augment: Any) -> None:
    generate = ["paraphrase", {"preference": {"scorer": "exact"}}]
    with pytest.raises(UsageError, match="rows of one type"):
        augment(section(served, generate=generate))


def test_a_dry_run_sends_nothing_and_writes_nothing(
    served: Served, augment: Any, tmp_path: Path
) -> None:
    result = augment(section(served), dry_run=True)
    assert result.path is None and result.deficits[0].wanted == 12
    assert not served.script.requests
    assert not (tmp_path / "datasets" / "made-augmented").exists()
    assert not (tmp_path / "datasets" / ".augment").exists()


def test_what_yields_nothing_is_given_up(served: Served, augment: Any, reworded: Any) -> None:
    served.script.answer = lambda body: (
        reworded(body) if body["seed"] % 40 == 0 else '{"question": "Always the same?"}'
    )
    generate = [{"paraphrase": {"per_row": 64}}]
    result = augment(section(served, generate=generate, target={"rows": 500}, give_up=0.2))
    assert result.accepted["all"] < 30
    assert any("give_up" in text for text in result.notes)
    assert len(served.script.requests) < 400


def test_rows_are_made_from_files_in_place_of_a_dataset(
    served: Served, augment: Any, tmp_path: Path
) -> None:
    text = "The harbour of Selm was dug in 1771.\n\nIt freezes for nine weeks in most winters."
    (tmp_path / "documents.jsonl").write_text(json.dumps({"text": text}) + "\n", encoding="utf-8")
    pairs = [
        {"question": "When was the harbour of Selm dug?", "answer": "In 1771.",
         "quote": "harbour of  Selm was dug in 1771"},
        {"question": "How long does the harbour of Selm freeze?", "answer": "Nine weeks.",
         "quote": "It freezes for nine weeks in most winters."},
        {"question": "Who dug the harbour of Selm?", "answer": "Monks.",
         "quote": "the monks of Selm dug it by hand"},
    ]  # fmt: skip
    served.script.answer = lambda body: json.dumps({"pairs": pairs})
    result = augment(
        section(served, sources=["documents.jsonl"], generate=["documents"], target={"rows": 2})
    )
    rows = table(result, "train")
    assert [turns[1]["content"] for turns in rows["messages"]] == ["In 1771.", "Nine weeks."]
    dropped = table(result, "dropped")
    assert dropped["reason"].to_list() == ["not_proven"]
    assert len(served.script.requests) == 1
