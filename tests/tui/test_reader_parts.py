"""What the reader says of datasets, evaluations, jobs, recipes and the disk."""

import json
import shutil
from types import SimpleNamespace

import pytest

from tui import disk
from tui.cached import CachedFiles
from tui.reader import Reader
from workspace.files import write_json


def test_a_dataset_shows_what_its_ledger_says(made):
    made.dataset("triage")
    job = made.other_job("curate", result="datasets/triage/1a2b3c4d")
    (row,) = Reader(made.root).poll().datasets
    assert (row.name, row.state, row.job) == ("triage", "finished", job.name)
    assert row.record is not None
    assert (row.record.rows, row.record.dropped) == (2866, 539)
    assert row.record.tokens == 2866 * 67 + 6700
    assert row.record.splits == ("train 2,766", "validation 100")
    assert row.version == made.workspace.datasets / "triage/1a2b3c4d"


def test_new_rows_below_a_name_are_seen_and_a_failed_curation_too(made):
    made.dataset("triage")
    reader = Reader(made.root)
    first = reader.poll()
    assert reader.poll() is first
    made.dataset("triage", digest="99887766", kept=3000)
    made.other_job(
        "curate", day=2, state="failed", error="no room", result="datasets/triage/99887766"
    )
    (row,) = reader.poll().datasets
    assert row.record is not None
    assert (row.record.digest, row.record.rows) == ("99887766", 3000)
    assert (row.state, row.reason) == ("failed", "no room")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "ledger.json"),
        (b'{"schema_version": 1, "ro', "ledger.json"),
        (b'{"schema_version": 2}', "upgrade"),
        (b"[1]", "not a JSON object"),
    ],
)
def test_a_damaged_ledger_is_a_broken_row(made, content, said):
    (made.dataset("torn") / "ledger.json").write_bytes(content)
    (row,) = Reader(made.root).poll().datasets
    assert row.state == "broken"
    assert said in row.reason


@pytest.mark.parametrize(
    "odd",
    [{"rows": 5, "splits": []}, {"rows": {"kept": "x"}, "splits": {"train": 5}}, {"type": 7}],
)
def test_an_odd_ledger_harms_nothing(made, odd):
    write_json(made.dataset("odd") / "ledger.json", {"schema_version": 1, **odd})
    (row,) = Reader(made.root).poll().datasets
    assert (row.state, row.record and row.record.rows) == ("finished", None)


def test_a_name_without_rows_and_one_deleted_are_told(made):
    (made.workspace.datasets / "begun").mkdir(parents=True)
    reader = Reader(made.root)
    (row,) = reader.poll().datasets
    assert (row.state, "no whole rows" in row.reason) == ("broken", True)
    shutil.rmtree(made.workspace.datasets)
    assert reader.poll().datasets == ()


def test_an_evaluation_tells_its_worst_verdict_and_what_fell(made):
    made.evaluation(made.run("x"), "fail")
    (row,) = Reader(made.root).poll().evals
    assert (row.state, row.models, row.headline) == ("fail", ("tuned",), "It is a fail.")
    assert [ability.name for ability in row.fallen] == ["copying"]
    assert row.record is not None
    assert (row.record.lost, row.record.gained) == (297, 491)


def test_a_new_evaluation_leaves_the_rows_of_the_others_as_they_were(made):
    run = made.run("x")
    made.evaluation(run, "fail", day=8)
    reader = Reader(made.root)
    (before,) = reader.poll().evals
    made.evaluation(run, "pass", day=9)
    new, old = reader.poll().evals
    assert (new.state, old.state) == ("pass", "fail") and old is before
    made.other_job("eval", result=f"evals/{old.id}")
    job = "20261101-110000-eval-ef56"
    new, old = reader.poll().evals
    assert (new.job, old.job) == ("", job)  # its job came to be known, so the row is another


def test_an_evaluation_that_is_half_written_is_a_broken_row(made):
    path = made.evaluation(made.run("x"), "pass") / "results.json"
    path.write_text(path.read_text()[:100])
    (row,) = Reader(made.root).poll().evals
    assert row.state == "broken"
    assert "results.json" in row.reason


def test_jobs_of_all_kinds_come_running_first(made):
    made.run("r", state="finished", day=5)
    made.other_job("curate", day=6)
    made.other_job("augment", day=2, state="running")
    made.other_job("eval", day=3, state="queued", waiting="place 2 of 3")
    stopped = made.run("s", state="stopped", day=1)
    jobs = Reader(made.root).poll().jobs
    assert [job.kind for job in jobs] == ["augment", "eval", "curate", "train", "train"]
    assert [job.reason for job in jobs if job.kind == "eval"] == ["place 2 of 3"]
    assert [job.resumes for job in jobs if job.resumes] == [stopped.name]


def test_recipes_are_read_by_their_left_edge_alone(made):
    made.recipe()
    made.recipe("general.yaml", "general", curate="{}")
    (made.root / "other.yaml").write_text("version: 3\nservices: {}\n")
    (made.root / "odd.yaml").write_bytes(b"name: x\xff\ncurate: [\n")
    reader = Reader(made.root)
    notes = reader.poll().recipes
    assert [note.file for note in notes] == ["temper.yaml", "general.yaml", "odd.yaml"]
    assert (notes[0].name, notes[0].arguments) == ("triage", ())
    assert notes[1].arguments == ("general.yaml",)
    assert reader.poll().recipes is notes


def test_the_disk_is_told_anew_only_when_it_changed_by_something(made, monkeypatch):
    free = iter([100, 99, 97, 90])
    monkeypatch.setattr(disk, "_PERIOD_SECONDS", -1.0)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=next(free), total=200))
    gauge = disk.DiskGauge(made.root)
    found = [gauge.get() for _ in range(4)]
    assert [one.free_bytes for one in found if one] == [100, 100, 100, 90]
    assert found[0] is found[2]


def test_a_thousand_datasets_and_evaluations_cost_little_at_rest(made):
    for number in range(1000):
        rows = made.workspace.datasets / f"name{number:04d}" / "aa"
        rows.mkdir(parents=True)
        (rows / "ledger.json").write_text('{"schema_version": 1, "rows": {"kept": 5}}')
        (rows.parent / "current").symlink_to("aa")
        evaluation = made.workspace.evals / f"20261101-{number:06d}-eval-ab12"
        evaluation.mkdir(parents=True)
        (evaluation / "results.json").write_text(json.dumps({"schema_version": 1}))
    reader = Reader(made.root)
    first = reader.poll()
    assert 0 < len(first.datasets) < 1000  # the newest are there at once
    assert first.pending
    while first.pending:
        first = reader.poll()
    assert (len(first.datasets), len(first.evals)) == (1000, 1000)
    parsed, looked_at = reader.files_parsed, reader.files_looked_at
    for _ in range(8):
        assert reader.poll() is first
    assert reader.files_parsed == parsed == 2000
    each = (reader.files_looked_at - looked_at) / 8
    assert each <= (CachedFiles.NEWEST + 1000 / CachedFiles.TURNS + 1) + (CachedFiles.NEWEST + 65)


def test_a_new_step_makes_no_other_table_anew(made):
    run = made.run("live", state="running", steps=5)
    made.dataset("triage")
    made.evaluation(made.run("old", day=2), "pass")
    reader = Reader(made.root)
    first = reader.poll()
    while first.pending:
        first = reader.poll()
    made.train(run, [6])
    second = reader.poll()
    assert second.runs[0].metrics.step == 6
    assert second.datasets is first.datasets
    assert second.evals is first.evals
    assert second.jobs is first.jobs
