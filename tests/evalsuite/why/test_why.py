"""Failures in named groups, the training rows nearest to them, and what `augment` makes of both."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate.synth.gaps import gap_deficits
from curate.synth.recipe import Deficits
from evalsuite.engine.questions import Sample
from evalsuite.engine.subjects import Subject
from evalsuite.gate import judge
from evalsuite.tasks import LoadedSuite, load_suite
from evalsuite.verdict import Canary, PairedAbility, Verdict
from evalsuite.why.explain import _reason, failure_groups, write_deficits
from evalsuite.why.groups import grouped, name_of
from evalsuite.why.rows import TrainingRows, nearest_rows, training_rows
from workspace.errors import DataError
from workspace.files import hash_file
from workspace.layout import Workspace

FRUIT = ["apple", "pear", "plum", "fig"]
QUESTIONS = [
    *(f"What colour is the {fruit} in basket {n}?" for n, fruit in enumerate(FRUIT * 3)),
    *(f"Add the numbers {n} and {n + 7} together." for n in range(12)),
    *(f"Name the capital city of country number {n}." for n in range(12)),
]


def test_failures_that_are_alike_are_a_group_with_a_name() -> None:
    failed = [0, 1, 2, 3, 4, 5, 13, 14, 15, 30]
    groups = grouped(QUESTIONS, failed)
    assert [len(group.places) for group in groups] == [6, 3, 1]
    assert groups[0].places == (0, 1, 2, 3, 4, 5)
    assert set(groups[0].name.split(", ")) & {"colour", "basket"}
    assert set(groups[1].name.split(", ")) & {"add", "numbers", "together"}
    assert groups[2].name == "others"


def test_without_a_pattern_all_are_one_group() -> None:
    (group,) = grouped(QUESTIONS, [0, 13])
    assert (group.name, group.places) == ("all", (0, 13))
    assert name_of(["", ""], [0, 1]) == "alike"


def test_words_of_the_template_name_no_group() -> None:
    asked = [f"Which mood is this and why: text {n}?" for n in range(20)]
    assert name_of(asked, range(20)) == "alike"
    asked[:12] = [f"{one} zebra" for one in asked[:12]]
    assert name_of([*asked, "odd"], range(12)) == "zebra"


def test_nearest_rows_share_rare_words() -> None:
    rows = TrainingRows(
        tuple("abcd"),
        ("the colour of a basket", "add two numbers", "a capital", "unlike"),
        ("",) * 4,
    )
    ((first, *_), none) = nearest_rows(["What colour is the basket?", "zzz qqq"], rows)
    assert rows.ids[first[0]] == "a" and first[1] > 0.5
    assert none == []
    many = TrainingRows(tuple("abcd" * 9), rows.questions * 9, ("",) * 36)
    found = nearest_rows(["What colour is the basket?"] * 300, many, 3)
    assert {tuple(place for place, _ in one) for one in found} == {(0, 4, 8)}  # the first of equals


SUITE = """\
schema_version: 1
name: kept
purpose: retention
min_items: 30
tasks:
  - {name: ask, kind: generation, data: rows.jsonl, prompt: "{{ q }}", gold: "x", scorer: exact}
"""


@pytest.fixture
def suite(tmp_path: Path) -> LoadedSuite:
    rows = [{"id": f"r{n}", "q": question} for n, question in enumerate(QUESTIONS)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "kept.yaml").write_text(SUITE)
    return load_suite(tmp_path / "kept.yaml")


def answers(lost: set[int], model: str) -> dict[tuple[str, str], list[Sample]]:
    return {
        ("kept", "ask"): [
            Sample(
                "ask", "ask", f"r{n}", "", model, question, "x", "x",
                0.0 if n in lost else 1.0, "no JSON" if n in lost else "", 0.0, 1, 1, 0.0, False,
            )
            for n, question in enumerate(QUESTIONS)
        ]
    }  # fmt: skip


def verdict_on(lost: set[int], *canaries: Canary) -> Verdict:
    ids = [str(n) for n in range(len(QUESTIONS))]
    tuned = [float(n not in lost) for n in range(len(QUESTIONS))]
    return judge(
        [PairedAbility("ask", "retention", [1.0] * len(ids), tuned, ids, min_items=30)], canaries
    )


ROWS = TrainingRows(
    ("near", "far"),
    ("What colour is the apple in basket 3?", "Tell me a story about ships."),
    ("What colour is the apple in basket 3? → red", "Tell me a story about ships. → Once"),
)


def test_regressions_are_linked_to_the_rows_and_augment_reads_the_gaps(
    suite: LoadedSuite, tmp_path: Path
) -> None:
    lost = set(range(12))
    groups = failure_groups(
        "mine", verdict_on(lost), [suite], answers(set(), "base"), answers(lost, "mine"), ROWS
    )
    (group,) = groups
    assert (group.verdict, len(group.items), group.items[0]) == ("fail", 12, "ask/r0")
    assert group.reason == "12 of 12: no JSON"
    assert [row.id for row in group.rows] == ["near"]
    assert group.rows[0].text.endswith("→ red")
    for name in ("gaps.json", "gaps.jsonl"):
        assert write_deficits(tmp_path / name, groups) == 1
        assert "basket 7" not in (tmp_path / name).read_text()
        import polars as pl

        ids = pl.Series(["far", "near"])
        (gap,), notes = gap_deficits(Deficits(path=name), ids, tmp_path)
        assert (gap.rows, gap.pool.tolist(), notes) == (12, [1], [])
        assert gap.name.startswith("ask: ")
    (tmp_path / "gaps.jsonl").write_text("{}\nnonsense\n")
    with pytest.raises(DataError, match=r"gaps\.jsonl:2"):
        gap_deficits(Deficits(path="gaps.jsonl"), ids, tmp_path)


def test_of_an_invalid_verdict_and_of_what_passed_nothing_is_said(suite: LoadedSuite) -> None:
    same, lost = answers(set(), "base"), set(range(12))
    invalid = verdict_on(lost, Canary("active", "fail"))
    assert failure_groups("m", invalid, [suite], same, answers(lost, "m"), ROWS) == []
    assert failure_groups("m", verdict_on(set()), [suite], same, answers(set(), "m"), ROWS) == []


def test_without_training_rows_there_are_groups_but_no_gaps(
    suite: LoadedSuite, tmp_path: Path
) -> None:
    lost = set(range(12))
    groups = failure_groups(
        "m", verdict_on(lost), [suite], answers(set(), "base"), answers(lost, "m"), "not known"
    )
    assert groups[0].rows == [] and groups[0].sources == []
    assert write_deficits(tmp_path / "gaps.json", groups) == 0


def test_rows_that_training_never_saw_are_no_training_rows(tmp_path: Path) -> None:
    dataset = tmp_path / "data"
    dataset.mkdir()
    rows = [{"content_hash": f"h{n}", "prompt": f"q{n}", "completion": "a"} for n in range(4)]
    pq.write_table(pa.Table.from_pylist(rows), dataset / "train.parquet")
    run = tmp_path / "runs" / "20261120-000000-mine-abcd"
    run.mkdir(parents=True)
    batches = [{"step": n + 1, "row_id": f"h{n}", "role": "train"} for n in range(3)]
    pq.write_table(pa.Table.from_pylist(batches), run / "batches.parquet")
    record = {
        "method": "sft", "dataset": str(dataset), "steps": 3, "published": {"step": 2},
        "settings": {"train": {"too_long": "drop"}}, "schema_version": 1,
    }  # fmt: skip
    (run / "run.json").write_text(json.dumps(record))
    digest = hash_file(dataset / "train.parquet")
    plan = {
        "sources": [{"role": "train", "digest": digest}],
        "settings": {"max_length": {"value": 64}},
    }
    (run / "plan.json").write_text(json.dumps(plan))
    model = run / "model"
    subject = Subject("mine", run.name, "adapter", model, "d", model, None, None)
    found = training_rows(subject, Workspace(tmp_path))
    assert isinstance(found, TrainingRows)
    assert (found.ids, found.questions, found.note) == (("h0", "h1"), ("q0", "q1"), "")
    pq.write_table(pa.Table.from_pylist(rows[:3]), dataset / "train.parquet")
    assert "has changed since training" in str(training_rows(subject, Workspace(tmp_path)))


def test_training_rows_of_a_run_are_read_as_they_are(tmp_path: Path) -> None:
    dataset = tmp_path / "data"
    dataset.mkdir()
    rows = [
        {"id": "a", "messages": [{"role": "system", "content": "s"},
                                 {"role": "user", "content": "q1"},
                                 {"role": "assistant", "content": "a1"}]},
    ]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(rows), dataset / "train.parquet")
    run = tmp_path / "runs" / "20261120-000000-mine-abcd"
    run.mkdir(parents=True)
    (run / "run.json").write_text(json.dumps({"schema_version": 1, "dataset": str(dataset)}))
    subject = Subject("mine", run.name, "adapter", run, "d", run, None, None)
    found = training_rows(subject, Workspace(tmp_path))
    assert isinstance(found, TrainingRows)
    assert (found.ids, found.questions, found.texts) == (("a",), ("q1",), ("q1 → a1",))
    assert "which it saw is not known" in found.note
    dataset.rename(tmp_path / "moved")  # as the workspace was moved, with its datasets in it
    dataset = tmp_path / "datasets" / tmp_path.name / "data"
    dataset.parent.mkdir(parents=True)
    (tmp_path / "moved").rename(dataset)
    assert training_rows(subject, Workspace(tmp_path)) == found
    (dataset / "train.parquet").write_text("no parquet")
    told = training_rows(subject, Workspace(tmp_path))
    assert isinstance(told, str) and "cannot be read" in told
    plain = Subject("mine", None, "adapter", run, "d", run, None, None)
    assert "is no run" in str(training_rows(plain, Workspace(tmp_path)))


def test_a_scorer_without_reasons_leaves_the_mean_score() -> None:
    silent = Sample(
        "ask", "ask", "r0", "", "mine", "q", "x", "x", 0.25, "", 0.0, 1, 1, 0.0, False
    )  # fmt: skip
    assert _reason([silent, silent]) == "mean score 0.25; the scorer gives no reason"
