"""What a run recorded of its data, and what is told where that is gone or changed."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from evalsuite.engine.subjects import Subject, find_subject
from evalsuite.models import ChatTokenizer
from evalsuite.models.rows import tokenise_row
from evalsuite.overfitting.evidence import Evidence, find_evidence
from evalsuite.overfitting.rows import Limits, draw_rows, learnt_from
from workspace.errors import DataError
from workspace.layout import Workspace

LIMITS = Limits(64, False, None)


def subject_of(run: Path) -> Subject:
    return find_subject(str(run), Workspace(run.parent.parent))


def evidence_of(run: Path) -> Evidence:
    found = find_evidence(subject_of(run))
    assert not isinstance(found, str), found
    return found


def change(run: Path, **record: Any) -> None:
    document = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**document, **record}))


def test_rows_count_as_often_as_steps_up_to_the_published_one_saw_them(trained_run: Path) -> None:
    found = evidence_of(trained_run)
    assert len(found.seen) == 30
    assert (found.seen["train-000"], found.seen["train-029"]) == (2, 1)
    assert "train-030" not in found.seen  # step 4 is not published
    change(trained_run, published=None)
    assert len(evidence_of(trained_run).seen) == 40


@pytest.mark.parametrize(
    ("break_it", "told"),
    [
        (lambda run: (run / "batches.parquet").unlink(), "batches.parquet is gone"),
        (lambda run: change(run, method="grpo"), "grpo learns from rewards"),
        (lambda run: change(run, dataset=None), "names no dataset"),
        (lambda run: change(run, dataset="/gone/away"), "is gone: /gone/away"),
        (lambda run: (run / "plan.json").unlink(), "plan"),
        (lambda run: (run / "plan.json").write_text("{}"), "of another version"),
    ],
)
def test_what_is_missing_is_a_reason_and_no_error(
    trained_run: Path, break_it: Any, told: str
) -> None:
    break_it(trained_run)
    found = find_evidence(subject_of(trained_run))
    assert isinstance(found, str)
    assert told in found


def test_a_dataset_that_changed_since_is_not_taken_for_its_data(trained_run: Path) -> None:
    file = evidence_of(trained_run).dataset / "train.parquet"
    pq.write_table(pq.read_table(file).slice(0, 5), file)
    found = find_evidence(subject_of(trained_run))
    assert isinstance(found, str) and "has changed since training" in found


def test_a_moved_workspace_is_found_again(trained_run: Path, tmp_path: Path) -> None:
    moved = tmp_path.with_name(f"{tmp_path.name}-moved")
    shutil.move(tmp_path, moved)
    found = evidence_of(moved / trained_run.relative_to(tmp_path))
    assert found.dataset == moved / "datasets" / "toy" / "d1"


def test_a_plain_adapter_has_no_data(tiny_adapter: Path, tmp_path: Path) -> None:
    found = find_evidence(find_subject(str(tiny_adapter), Workspace(tmp_path)))
    assert isinstance(found, str) and "not a run" in found


def test_a_plain_model_below_a_folder_named_checkpoints_has_no_data(
    tiny_adapter: Path, tmp_path: Path
) -> None:
    best = shutil.copytree(tiny_adapter, tmp_path / "out" / "checkpoints" / "best")
    found = find_evidence(find_subject(str(best), Workspace(tmp_path)))
    assert isinstance(found, str) and "not a run" in found


def test_rows_have_the_tokens_and_the_mask_of_training(trained_run: Path, tiny_model: Path) -> None:
    tokenizer = ChatTokenizer.from_dir(tiny_model)
    drawn = draw_rows(evidence_of(trained_run), tokenizer, LIMITS, count=100, seed=0)
    parts = [row.part for row in drawn.rows]
    assert (parts.count("trained"), parts.count("validation"), len(parts)) == (30, 25, 55)
    row = next(one for one in drawn.rows if one.row_id == "train-000")
    (record,) = pq.read_table(
        evidence_of(trained_run).dataset / "train.parquet", filters=[("id", "=", "train-000")]
    ).to_pylist()
    turns = [{"role": m["role"], "content": m["content"]} for m in record["messages"]]
    chat = tokenise_row(tokenizer, {"messages": turns})
    assert list(row.ids) == chat.input_ids
    assert [place in row.learnt for place in range(len(row.ids))] == chat.loss_mask
    assert (row.seen, row.source) == (2, "train.jsonl")


def test_the_draw_is_seeded_and_does_not_depend_on_the_other_rows(
    trained_run: Path, tiny_model: Path
) -> None:
    tokenizer, found = ChatTokenizer.from_dir(tiny_model), evidence_of(trained_run)
    few, same, other = (
        draw_rows(found, tokenizer, LIMITS, count=10, seed=seed).rows for seed in (1, 1, 2)
    )
    more = draw_rows(found, tokenizer, LIMITS, count=20, seed=1).rows
    assert few == same != other
    assert {row.row_id for row in few} < {row.row_id for row in more}


def test_rows_that_no_step_saw_stand_in_for_rows_set_aside(
    trained_run: Path, tiny_model: Path
) -> None:
    found = evidence_of(trained_run)
    (found.dataset / "validation.parquet").unlink()
    drawn = draw_rows(found, ChatTokenizer.from_dir(tiny_model), LIMITS, count=100, seed=0)
    unseen = [row.row_id for row in drawn.rows if row.part == "unseen"]
    assert sorted(unseen) == [f"train-{number:03}" for number in range(30, 40)]


def test_rows_that_training_left_out_as_too_long_are_left_out_and_told(
    trained_run: Path, tiny_model: Path
) -> None:
    found, tokenizer = evidence_of(trained_run), ChatTokenizer.from_dir(tiny_model)
    drawn = draw_rows(found, tokenizer, Limits(20, False, None), count=100, seed=0)
    assert drawn.rows == ()
    assert drawn.notes[0].startswith("30 of 30 drawn trained rows are not read again")
    whole = draw_rows(found, tokenizer, LIMITS, count=1, seed=0).rows[0]
    length = whole.learnt[1]
    cut = draw_rows(found, tokenizer, Limits(length, True, None), count=1, seed=0).rows[0]
    assert cut.ids == whole.ids[:length]
    assert cut.learnt == whole.learnt[:1]


def test_damaged_rows_are_named(trained_run: Path, tiny_model: Path) -> None:
    found = evidence_of(trained_run)
    (found.dataset / "validation.parquet").write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"rows of the dataset cannot be read"):
        draw_rows(found, ChatTokenizer.from_dir(tiny_model), LIMITS, count=5, seed=0)


def test_what_is_learnt_of_each_form() -> None:
    pair = {"prompt": "p", "chosen": "good", "rejected": "bad"}
    assert (learnt_from(pair, "preference") or {})["completion"] == "good"
    labelled = {"prompt": "p", "completion": "c", "label": False}
    assert learnt_from(labelled, "labelled") is None
    assert (learnt_from({**labelled, "label": True}, "labelled") or {})["completion"] == "c"
    assert learnt_from({"messages": [], "images": [b"x"]}, "sft") is None
    calls = {"role": "assistant", "content": None, "tool_calls": '[{"name": "f"}]', "extra": None}
    found = learnt_from({"messages": [calls], "tools": '[{"type": "function"}]'}, "sft") or {}
    assert found["messages"] == [
        {"role": "assistant", "content": None, "tool_calls": [{"name": "f"}]}
    ]
    assert found["tools"] == [{"type": "function"}]


def test_a_checkpoint_has_the_rows_of_its_own_steps(trained_run: Path) -> None:
    early = trained_run / "checkpoints" / "step-1"
    shutil.copytree(trained_run / "model", early)
    subject = replace(subject_of(trained_run), path=early, run=f"{trained_run.name}@step-1")
    found = find_evidence(subject)
    assert not isinstance(found, str), found
    assert 0 < len(found.seen) < 30 and set(found.seen.values()) == {1}
