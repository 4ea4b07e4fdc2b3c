"""Disagreeing with a dataset, and comparing two of them."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import curate
from curate.comparing import compare
from curate.decisions import Decision, add_decisions, load_decisions
from curate.restoring import (
    decide_to_drop,
    decide_to_edit,
    decide_to_keep,
    take_back,
    take_back_edits,
)
from workspace.errors import DataError, UsageError
from workspace.layout import Workspace

LONG = "open the app and choose the button with the plus sign on the first screen to begin with it"
ASKED = [
    ("how do I top up my account with a card from abroad", LONG),
    ("how do I top up my account with a card from abroad now", LONG),
    ("what is the capital of France", "Paris"),
    ("what is the capital of France", "paris."),
    ("which words rhyme with love", "dove"),
]
RECIPE = """\
name: rows
curate:
  sources: [rows.jsonl]
  steps: [exact_duplicates, near_duplicates]
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    lines = [json.dumps({"prompt": ask, "completion": say}) for ask, say in ASKED]
    (tmp_path / "rows.jsonl").write_text("\n".join([*lines, "{broken"]))
    (tmp_path / "temper.yaml").write_text(RECIPE)
    return Workspace(tmp_path)


def made(workspace: Workspace, *overrides: str) -> Path:
    given = ("curate.max_quarantine=50%", *overrides)
    result = curate.run(workspace.root / "temper.yaml", *given)
    assert result.path is not None
    return result.path


def asked(dataset: Path) -> list[str]:
    rows = pl.read_parquet(dataset / "train.parquet")["messages"].to_list()
    return [turns[0]["content"] for turns in rows]


def dropped(dataset: Path) -> dict[str, str]:
    return dict(pl.read_parquet(dataset / "dropped.parquet").select("reason", "id").rows())


def test_a_restored_row_is_kept_in_its_place_and_said_to_be(workspace: Workspace) -> None:
    before = made(workspace)
    assert asked(before) == [ASKED[0][0], ASKED[2][0], ASKED[4][0]]
    told = decide_to_keep(workspace, before, [], "near_duplicate", "two ways to ask")
    assert (told.rows, told.new, told.command) == (1, 1, "temper curate")
    assert told.file == workspace.root / "decisions" / "rows.jsonl"
    after = made(workspace)
    assert after != before
    assert asked(after) == [ASKED[0][0], ASKED[1][0], ASKED[2][0], ASKED[4][0]]
    times = json.loads((after / "ledger.json").read_text())
    assert "Kept by decision though it would drop them: 1." in json.dumps(times)
    assert decide_to_keep(workspace, before, ["rows.jsonl:2"], None, "").new == 0


def test_a_row_dropped_by_decision_has_its_reason_and_the_ledger_balances(
    workspace: Workspace,
) -> None:
    before = made(workspace)
    decide_to_drop(workspace, before, ["rows.jsonl:5"], "not our field")
    after = made(workspace)
    assert asked(after) == [ASKED[0][0], ASKED[2][0]]
    rows = pl.read_parquet(after / "dropped.parquet").filter(pl.col("reason") == "decided")
    assert rows.select("step", "detail").rows() == [("decisions", "not our field")]
    counts = json.loads((after / "ledger.json").read_text())["rows"]
    assert counts["in"] == counts["kept"] + counts["dropped"] == 6


def test_an_edited_text_is_what_the_steps_see_and_is_taken_back(workspace: Workspace) -> None:
    before = made(workspace)
    copied = dropped(before)["near_duplicate"]
    told = decide_to_edit(workspace, before, "rows.jsonl:2", "messages.1", "not the same", "why")
    assert (told.rows, told.new, told.command) == (1, 1, "temper curate")
    again = decide_to_edit(workspace, before, copied, "messages.1", "not the same", "")
    assert again.new == 0
    decide_to_edit(workspace, before, "rows.jsonl:5", "messages.0", "what rhymes with love", "")
    decide_to_drop(workspace, before, ["rows.jsonl:5"], "")
    take_back(workspace, before, [dropped_by_hand(workspace)])  # of the drop alone
    after = made(workspace)
    rows = pl.read_parquet(after / "train.parquet")
    turns = {one["id"]: [turn["content"] for turn in one["messages"]] for one in rows.to_dicts()}
    assert turns[copied] == [ASKED[1][0], "not the same"]  # now no copy, so it stays
    assert "what rhymes with love" in asked(after)
    ledger = json.loads((after / "ledger.json").read_text())
    assert ledger["rows"]["in"] == ledger["rows"]["kept"] + ledger["rows"]["dropped"]
    (step,) = [one for one in ledger["steps"] if one["step"] == "edits"]
    assert step["changed"]["decided"]["rows"] == 2
    take_back_edits(workspace, after, [copied])
    assert asked(made(workspace)) == [ASKED[0][0], ASKED[2][0], "what rhymes with love"]


def dropped_by_hand(workspace: Workspace) -> str:
    (row,) = load_decisions(workspace.root / "decisions" / "rows.jsonl").drop
    return row


def test_an_edit_that_fits_no_text_is_told(workspace: Workspace) -> None:
    dataset = made(workspace)
    with pytest.raises(UsageError, match="no such text") as caught:
        decide_to_edit(workspace, dataset, "rows.jsonl:1", "messages.7", "x", "")
    assert caught.value.cause == "Its texts: messages.0, messages.1."
    with pytest.raises(UsageError, match="its images"):
        image = f"\ufffc{'a' * 24}\ufffc"
        decide_to_edit(workspace, dataset, "rows.jsonl:1", "messages.0", image, "")
    with pytest.raises(UsageError, match="no such text"):
        decide_to_edit(workspace, dataset, "rows.jsonl:6", "messages.0", "x", "")
    with pytest.raises(UsageError, match="not in the dataset"):
        decide_to_edit(workspace, dataset, "rows.jsonl:9", "messages.0", "x", "")
    with pytest.raises(UsageError, match="was edited"):
        take_back_edits(workspace, dataset, ["rows.jsonl:1"])
    (workspace.root / "decisions").mkdir(exist_ok=True)
    row = pl.read_parquet(dataset / "train.parquet")["id"][0]
    lines = [
        {"id": row, "decision": "edit", "texts": {"messages.9": "x"}},
        {"id": "gone", "decision": "edit", "texts": {"text": "x"}},
    ]
    path = workspace.root / "decisions" / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    ledger = (made(workspace, "curate.split.validation=1") / "ledger.json").read_text()
    assert "Edits of texts that are not there: 2." in ledger
    path.write_text(json.dumps({"id": "a", "decision": "edit"}))
    with pytest.raises(DataError, match="not a decision"):
        load_decisions(path)


def test_decisions_that_are_added_at_once_are_all_kept(workspace: Workspace) -> None:
    path = workspace.root / "decisions" / "rows.jsonl"

    def add(number: int) -> int:
        return add_decisions(path, [Decision(id=f"r{number}", decision="drop")])

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(add, range(40))) == 40
    assert len(load_decisions(path).drop) == 40


def test_what_cannot_be_decided_is_told(workspace: Workspace) -> None:
    dataset = made(workspace)
    with pytest.raises(UsageError, match="cannot be kept") as unread:
        decide_to_keep(workspace, dataset, ["rows.jsonl:6"], None, "")
    assert unread.value.where == "rows.jsonl:6"
    with pytest.raises(UsageError, match="was not dropped"):
        decide_to_keep(workspace, dataset, ["rows.jsonl:1"], None, "")
    with pytest.raises(UsageError, match="dropped as 'ugly'") as unknown:
        decide_to_keep(workspace, dataset, [], "ugly", "")
    assert "near_duplicate" in unknown.value.cause
    with pytest.raises(UsageError, match="is not in the dataset"):
        decide_to_drop(workspace, dataset, ["nothing"], "")
    with pytest.raises(UsageError, match="no row is named"):
        decide_to_drop(workspace, dataset, [], "")


def test_a_file_of_decisions_with_something_else_in_it_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "decisions.jsonl"
    good: dict[str, Any] = {"id": "a", "decision": "keep"}
    path.write_text(json.dumps(good) + "\n\n" + json.dumps(good | {"decision": "drop"}))
    assert load_decisions(path).keep == frozenset()
    assert load_decisions(path).drop == {"a": ""}
    path.write_text(json.dumps(good) + "\n" + json.dumps(good | {"decision": "maybe"}))
    with pytest.raises(DataError, match="not a decision") as caught:
        load_decisions(path)
    assert caught.value.where == f"{path}:2"


def test_decisions_about_rows_that_are_gone_are_counted(workspace: Workspace) -> None:
    (workspace.root / "decisions").mkdir()
    line = json.dumps({"id": "gone", "decision": "drop"})
    (workspace.root / "decisions" / "rows.jsonl").write_text(line)
    ledger = (made(workspace) / "ledger.json").read_text()
    assert "Decisions about rows that are not there: 1." in ledger


def test_a_comparison_says_what_came_went_changed_and_moved_and_why(workspace: Workspace) -> None:
    old = made(workspace, "curate.steps=[exact_duplicates]")
    new = made(workspace, "curate.split.validation=1")
    found = compare(old, new)
    assert (found.rows_before, found.rows_after) == (4, 3)
    told = {(one.what, one.why): one.rows for one in found.groups}
    assert told == {
        ("went", "near_duplicates: near_duplicate"): 1,
        ("moved", "train → validation"): 1,
    }
    assert found.same == 2
    keys = {one.key for one in found.settings}
    assert "curate.split.validation" not in keys and "split.validation" in keys
    back = compare(new, old)
    assert ("came", "near_duplicates: near_duplicate") in {
        (one.what, one.why) for one in back.groups
    }
    assert compare(new, new).groups == ()
    with pytest.raises(DataError, match="no dataset"):
        compare(workspace.root, new)


def test_a_comparison_of_cached_runs_names_every_setting_that_differs(workspace: Workspace) -> None:
    old = made(workspace)
    new = made(
        workspace,
        "curate.steps=[empty_answers, exact_duplicates, {near_duplicates: {threshold: 1.0}}]",
    )
    cached = json.loads((new / "ledger.json").read_text())["from_cache"]
    assert cached[:2] == ["reading", "exact duplicates"] and "near duplicates" not in cached
    found = compare(old, new)
    assert [(one.what, one.why, one.rows) for one in found.groups] == [
        ("came", "near_duplicates: near_duplicate", 1)
    ]
    settings = {one.key: (one.before, one.after) for one in found.settings}
    assert settings == {
        "steps.in order": (
            "exact_duplicates, near_duplicates",
            "empty_answers, exact_duplicates, near_duplicates",
        ),
        "steps.near_duplicates.threshold": ("0.8", "1.0"),
    }


def test_a_comparison_tells_changed_and_made_rows_and_another_source(workspace: Workspace) -> None:
    old = made(workspace)
    file = workspace.root / "rows.jsonl"
    lines = file.read_text().replace("dove", "glove, or mail a.b@example.org").splitlines()
    file.write_text("\n".join([*lines, json.dumps({"prompt": "new", "completion": "row"})]))
    steps = "[exact_duplicates, near_duplicates, redact]"
    new = made(workspace, f"curate.steps={steps}")
    told = {(one.what, one.why): one.rows for one in compare(old, new).groups}
    assert told == {("went", "not read, or not made"): 1, ("came", "not read before"): 2}
    assert "sha256 of.rows.jsonl" in {one.key for one in compare(old, new).settings}
    plain = made(workspace, "curate.steps=[exact_duplicates, near_duplicates]")
    told = {(one.what, one.why): one.rows for one in compare(plain, new).groups}
    assert told == {("changed", "redact: personal_data"): 1}
    back = {(one.what, one.why): one.rows for one in compare(new, plain).groups}
    assert back == {("changed", "as it was read"): 1}
