"""From a recipe to a published dataset."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import curate.publish as publish_module
from curate.curating import CurateResult, run_curate
from curate.explaining import find_row
from curate.recipe import CurateSection
from evalsuite.overfitting.planted import canary_lines
from workspace.errors import DataError, DiskFullError, LimitExceeded, UsageError
from workspace.layout import Workspace
from workspace.recipe import load_recipe

Curate = Callable[..., CurateResult]
Lines = Callable[..., Path]
STEPS = ["empty_answers", "contradictions", "exact_duplicates", "near_duplicates"]


def pairs(count: int, start: int = 0) -> list[dict[str, str]]:
    names = "abcdefghijklmnopqrstuvwxyz"
    return [
        {
            "prompt": f"What is {names[n % 26]}{names[n // 26 % 26]} of {n}?",
            "completion": f"It is {n}.",
        }
        for n in range(start, start + count)
    ]


def files_in(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


def test_a_dataset_is_complete_and_balances(curate: Curate, lines: Lines) -> None:
    rows = [*pairs(60), *pairs(3), {"prompt": "empty", "completion": " "}, "{broken"]
    result = curate(
        {
            "sources": [str(lines(rows))],
            "steps": STEPS,
            "split": {"validation": 0.1, "test": 6},
            "max_quarantine": "5%",
        }
    )
    assert result.path is not None
    assert files_in(result.path) == {
        "train.parquet", "validation.parquet", "test.parquet", "dropped.parquet",
        "ledger.json", "recipe.yaml", "README.md", "report.html",
    }  # fmt: skip
    ledger = json.loads((result.path / "ledger.json").read_text())
    assert ledger["rows"] == {"in": 65, "kept": 60, "dropped": 5, "made": 0}
    reasons = pl.read_parquet(result.path / "dropped.parquet")["reason"].value_counts()
    assert dict(reasons.rows()) == {"bad_json": 1, "empty_answer": 1, "exact_duplicate": 3}
    assert {name: count["rows"] for name, count in ledger["splits"].items()} == {
        "train": 48, "validation": 6, "test": 6,
    }  # fmt: skip
    link = result.path.parent / "current"
    assert link.readlink() == Path(result.path.name)


def test_planted_strings_stay_in_train_and_dropped_copies_are_told(
    curate: Curate, lines: Lines
) -> None:
    planted = [json.loads(line) for line in canary_lines(4, 0, 2)]
    source = str(lines([*planted, *pairs(40)]))
    split = {"validation": 0.2, "test": 0.4}
    result = curate({"sources": [source], "steps": ["exact_duplicates"], "split": split})
    assert result.path is not None
    canaries = {
        name: pl.read_parquet(result.path / f"{name}.parquet")["meta"].struct.field("canary")
        for name in ("train", "validation", "test")
    }
    assert sorted(canaries["train"].drop_nulls()) == [f"canary {n}" for n in range(1, 5)]
    assert not len(canaries["test"].drop_nulls()) + len(canaries["validation"].drop_nulls())
    ledger = json.loads((result.path / "ledger.json").read_text())
    assert "4 planted rows of 4 strings were dropped here" in json.dumps(ledger["steps"])
    assert "canary" not in json.dumps(ledger["sources"][0].get("ignored_columns"))
    again = curate({"sources": [str(result.path / "train.parquet")], "split": split})
    assert again.path is not None
    train = pl.read_parquet(again.path / "train.parquet")["meta"].struct.field("canary")
    assert train.drop_nulls().len() == 4


def test_datasets_loads_exactly_the_splits_there_are(
    curate: Curate, lines: Lines, tmp_path: Path
) -> None:
    import datasets

    source = str(lines(pairs(50)))
    result = curate({"sources": [source], "split": {"test": 0.2}})
    cache = str(tmp_path / "cache")
    loaded = datasets.load_dataset(str(result.path), cache_dir=cache)
    assert {name: part.num_rows for name, part in loaded.items()} == {"train": 40, "test": 10}
    row = loaded["test"][0]
    assert set(row) == {"messages", "id", "content_hash", "meta"}
    assert set(row["messages"][0]) == {"role", "content"}
    assert row["meta"]["source"] == "rows.jsonl"


def test_the_columns_are_those_of_the_contract(curate: Curate, lines: Lines) -> None:
    result = curate({"sources": [str(lines(pairs(3)))]})
    assert result.path is not None
    schema = pl.read_parquet_schema(result.path / "train.parquet")
    assert list(schema) == ["messages", "id", "content_hash", "meta"]
    meta: Any = schema["meta"]
    assert [field.name for field in meta.fields] == [
        "source", "row", "user_id", "label", "topic", "tokens", "group", "parents",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "row", "columns"),
    [
        ("prompt_completion", {"instruction": "a", "output": "b"}, ["prompt", "completion"]),
        ("preference", {"prompt": "a", "chosen": "b", "rejected": "c"},
         ["prompt", "chosen", "rejected"]),
        ("unpaired_preference", {"prompt": "a", "completion": "b", "label": False},
         ["prompt", "completion", "label"]),
        ("answer", {"question": "a", "answer": "so\n#### 5"}, ["prompt", "answer"]),
        ("text", {"text": "a"}, ["text"]),
    ],
)  # fmt: skip
def test_every_dataset_type_can_be_made(
    curate: Curate, lines: Lines, kind: str, row: dict[str, Any], columns: list[str]
) -> None:
    section = {"sources": [str(lines([row, {**row, "id": 7}]))], "type": kind, "steps": STEPS}
    result = curate(section)
    assert result.path is not None
    frame = pl.read_parquet(result.path / "train.parquet")
    assert frame.columns[: len(columns)] == columns
    assert frame.height == 1


def test_tool_calls_and_tools_are_columns_only_where_there_are_any(
    curate: Curate, lines: Lines
) -> None:
    call = {"function": {"name": "add", "arguments": {"a": 1}}}
    turns = [
        {"role": "user", "content": "1+1"},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "content": "2"},
        {"role": "assistant", "content": "2"},
    ]
    row = {"messages": turns, "tools": [{"name": "add", "parameters": {}}]}
    result = curate({"sources": [str(lines([row, *pairs(2)]))]})
    assert result.path is not None
    frame = pl.read_parquet(result.path / "train.parquet")
    assert frame["tools"].to_list()[1:] == [None, None]
    called = frame["messages"][0][1]["tool_calls"][0]["function"]
    assert called == {"name": "add", "arguments": '{"a":1}'}


def test_rows_of_another_type_are_quarantined(curate: Curate, lines: Lines) -> None:
    rows = [*pairs(50), {"prompt": "a", "chosen": "b", "rejected": "c"}]
    result = curate({"sources": [str(lines(rows))], "max_quarantine": "10%"})
    assert result.path is not None
    dropped = pl.read_parquet(result.path / "dropped.parquet")
    assert dropped.select("step", "reason", "row").rows() == [("normalise", "type", 51)]


def test_the_same_input_and_recipe_give_the_same_digest_and_one_directory(
    curate: Curate, lines: Lines
) -> None:
    section = {"sources": [str(lines(pairs(40)))], "steps": STEPS, "split": {"test": 0.2}}
    first, again = curate(section), curate(section)
    assert (first.digest, first.path) == (again.digest, again.path)
    assert (first.existed, again.existed) == (False, True)
    other = curate({**section, "split": {"test": 0.2, "seed": 1}})
    assert other.digest != first.digest
    assert other.path is not None
    assert (other.path.parent / "current").readlink() == Path(other.path.name)


def test_verifiable_rows_are_the_same_when_they_are_curated_again(
    curate: Curate, lines: Lines
) -> None:
    rows = [{"prompt": f"{number} + 1?", "answer": str(number + 1)} for number in range(9)]
    first = curate({"sources": [str(lines(rows))], "type": "answer"})
    assert first.path is not None
    again = curate({"sources": [str(first.path / "train.parquet")], "type": "answer"})
    assert again.path is not None
    before, after = (pl.read_parquet(one.path / "train.parquet") for one in (first, again))  # type: ignore[operator]
    assert before["answer"].to_list() == [str(number + 1) for number in range(9)]
    assert after.select("prompt", "answer").equals(before.select("prompt", "answer"))


def test_ids_stay_when_other_rows_come_and_go(curate: Curate, lines: Lines) -> None:
    def ids(rows: list[Any]) -> dict[str, str]:
        result = curate({"sources": [str(lines(rows))]})
        assert result.path is not None
        frame = pl.read_parquet(result.path / "train.parquet")
        asked = [turns[0]["content"] for turns in frame["messages"].to_list()]
        return dict(zip(asked, frame["id"], strict=True))

    few, many = ids(pairs(5)), ids([*pairs(20, start=5), *pairs(5)])
    assert few.items() <= many.items()


def test_equal_raw_rows_have_ids_of_their_own(curate: Curate, lines: Lines) -> None:
    result = curate({"sources": [str(lines([*pairs(1), *pairs(1), *pairs(1)]))]})
    assert result.path is not None
    ids = pl.read_parquet(result.path / "train.parquet")["id"]
    assert ids.to_list() == [ids[0], f"{ids[0]}-1", f"{ids[0]}-2"]


def test_a_dry_run_writes_nothing(curate: Curate, lines: Lines, tmp_path: Path) -> None:
    result = curate({"sources": [str(lines(pairs(5)))]}, dry_run=True)
    assert result.path is None
    assert not (tmp_path / "datasets").exists()


def test_too_many_unusable_rows_stop_with_examples(
    curate: Curate, lines: Lines, tmp_path: Path
) -> None:
    rows = [*pairs(10), "{broken", {"what": "is this"}]
    with pytest.raises(LimitExceeded, match=r"2 of 12 rows") as caught:
        curate({"sources": [str(lines(rows))]})
    assert "rows.jsonl:11: " in caught.value.cause
    assert "its keys are what" in caught.value.cause
    assert files_in(tmp_path / "datasets") == set()


def test_the_circuit_breaker_stops_a_step_that_takes_a_source_away(
    curate: Curate, lines: Lines
) -> None:
    section = {"sources": [str(lines(pairs(1) * 150))], "steps": ["exact_duplicates"]}
    with pytest.raises(LimitExceeded, match="149 of 150") as caught:
        curate(section)
    assert "What is" in caught.value.cause
    assert curate({**section, "circuit_breaker": 1.0}).ledger.rows_kept == 1


def test_a_dataset_without_rows_says_where_they_went(curate: Curate, lines: Lines) -> None:
    rows = [{"prompt": "a", "completion": ""}] * 3
    with pytest.raises(DataError, match="every one of the 3 rows") as caught:
        curate({"sources": [str(lines(rows))], "steps": ["empty_answers"]})
    assert "3 empty_answer" in caught.value.cause


@pytest.mark.parametrize("limit", [0.0, 1.0])
def test_a_source_of_unusable_rows_alone_is_told_with_its_lines(
    curate: Curate, lines: Lines, limit: float
) -> None:
    with pytest.raises(DataError, match="not one of 2 rows") as caught:
        curate({"sources": [str(lines(["{broken", "[]"]))], "max_quarantine": limit})
    assert "rows.jsonl:1: column" in caught.value.cause
    assert "rows.jsonl:2: the row is an array" in caught.value.cause


def test_splits_that_leave_no_row_to_train_on_are_refused(
    curate: Curate, lines: Lines, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="no row to train on") as caught:
        curate({"sources": [str(lines(pairs(9)))], "split": {"test": 50}})
    assert "9 test" in caught.value.cause
    assert files_in(tmp_path / "datasets") == set()


@pytest.mark.parametrize("in_the_way", ["made", "made/current/"])
def test_what_is_no_dataset_is_left_where_it_is(
    curate: Curate, lines: Lines, tmp_path: Path, in_the_way: str
) -> None:
    path = tmp_path / "datasets" / in_the_way
    path.parent.mkdir(parents=True)
    if in_the_way.endswith("/"):
        path.mkdir()
    else:
        path.write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UsageError, match="something else") as caught:
        curate({"sources": [str(tmp_path / "rows.jsonl")]})
    assert in_the_way.strip("/") in caught.value.where
    assert sorted(path for path in tmp_path.rglob("*") if path.name != "temper.yaml") == before


def test_a_dataset_whose_ledger_is_gone_is_named_with_the_way_out(
    curate: Curate, lines: Lines
) -> None:
    section = {"sources": [str(lines(pairs(5)))]}
    path = curate(section).path
    assert path is not None
    (path / "ledger.json").unlink()
    with pytest.raises(DataError, match="no ledger") as caught:
        curate(section)
    assert str(path) in caught.value.cure


@pytest.mark.parametrize("text", ["No space left on device (os error 28)", "transport error"])
@pytest.mark.parametrize("stage", ["sink_parquet", "collect"])
def test_a_full_disk_that_polars_tells_in_its_words_is_told_as_one(
    curate: Curate,
    lines: Lines,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stage: str,
    text: str,
) -> None:
    def full(*arguments: object, **options: object) -> None:
        raise pl.exceptions.ComputeError(f"parquet: File out of specification: {text}")

    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=0))
    monkeypatch.setattr(pl.LazyFrame, stage, full)
    with pytest.raises(DiskFullError):
        curate({"sources": [str(lines(pairs(5)))]})
    assert files_in(tmp_path / "datasets") == set()


@pytest.mark.parametrize("write", [1, 2, 3, 5])
def test_a_full_disk_leaves_nothing_half_written(
    curate: Curate, lines: Lines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: int
) -> None:
    section = {"sources": [str(lines(pairs(30)))], "split": {"test": 0.1}}
    before = curate(section)
    assert before.path is not None
    real, calls = os.fsync, []

    def full(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == write:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskFullError):
        curate({**section, "split": {"test": 0.2}})
    monkeypatch.setattr(os, "fsync", real)
    made = tmp_path / "datasets" / "made"
    assert files_in(tmp_path / "datasets") == {"made"}
    assert files_in(made) == {before.path.name, "current"}
    assert (made / "current").readlink() == Path(before.path.name)


TEXT = st.text(max_size=12)
RAW = st.one_of(
    st.fixed_dictionaries({"prompt": TEXT, "completion": TEXT}),
    st.fixed_dictionaries({"instruction": TEXT, "input": TEXT, "output": TEXT | st.none()}),
    st.fixed_dictionaries({"question": st.sampled_from(["a b c", "a b d"]), "answer": TEXT}),
    st.fixed_dictionaries({"text": TEXT}),
    st.fixed_dictionaries({"prompt": TEXT, "chosen": TEXT, "rejected": TEXT}),
    st.dictionaries(TEXT, st.integers() | TEXT | st.none(), max_size=3),
    st.lists(st.integers(), max_size=2),
)


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(RAW, min_size=1, max_size=15))
def test_whatever_rows_come_in_the_ledger_balances_and_the_order_holds(
    curate: Curate, lines: Lines, rows: list[Any]
) -> None:
    section = {
        "sources": [str(lines(rows))],
        "steps": STEPS,
        "split": {"validation": 0.2, "test": 0.2},
        "max_quarantine": 1.0,
        "circuit_breaker": 1.0,
    }
    try:
        result = curate(section)
    except DataError:
        return
    assert result.path is not None
    dropped = pl.read_parquet(result.path / "dropped.parquet")
    parts = [pl.read_parquet(result.path / f"{name}.parquet") for name in result.ledger.splits]
    kept = pl.concat(parts)
    assert kept.height + dropped.height == len(rows)
    every = [*kept["id"], *dropped["id"]]
    assert len(set(every)) == len(rows)
    assert set(dropped["duplicate_of"].drop_nulls()) <= set(every)
    for part in parts:
        places = part["meta"].struct.field("row").to_list()
        assert places == sorted(places)


def test_a_split_that_one_family_of_rows_makes_impossible_is_told(
    curate: Curate, lines: Lines
) -> None:
    names = ["red", "green", "blue", "white", "black", "brown", "grey", "pink"]
    rows = [
        {"prompt": f"Name the colour of the {one} house by the {two} lake.", "completion": one}
        for one in names
        for two in names
    ]
    result = curate({"sources": [str(lines(rows))], "split": {"test": 0.2, "similarity": 0.3}})
    (warning,) = [text for text in result.notes if "were asked for" in text]
    assert "test has 0 rows; 13 were asked for" in warning and "split.similarity" in warning


@pytest.mark.parametrize("name", ["[bold]x", "open[", "star*", "a b'\"#%", "line\nbreak", "日本"])
def test_a_workspace_may_be_called_anything(tmp_path: Path, name: str) -> None:
    root = tmp_path / name
    root.mkdir()
    (tmp_path / "starry").mkdir()
    text = "".join(json.dumps(row) + "\n" for row in pairs(30))
    (root / "rows.jsonl").write_text(text + "{broken\n")
    section = {"sources": ["*.jsonl"], "split": {"test": 0.2}, "max_quarantine": 1.0}
    recipe = root / "temper.yaml"
    recipe.write_text(json.dumps({"name": "made", "curate": section}))
    result = run_curate(load_recipe(recipe, {"curate": CurateSection}), Workspace(root))
    assert (result.ledger.rows_kept, result.ledger.rows_dropped) == (30, 1)
    assert result.path is not None
    assert find_row(result.path, "rows.jsonl:31")["reason"] == "bad_json"
    assert find_row(result.path, "rows.jsonl:3")


def test_a_dataset_that_another_process_made_meanwhile_is_taken(
    curate: Curate, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    section = {"sources": [str(lines(pairs(9)))]}
    first = curate(section)
    assert first.path is not None
    place = publish_module._place
    monkeypatch.setattr(publish_module, "_place", lambda *given: (place(*given)[0], False))
    second = curate(section)
    assert (second.path, second.existed) == (first.path, True)
