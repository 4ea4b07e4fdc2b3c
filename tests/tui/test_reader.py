import json
import shutil
import threading
from typing import Any

import pytest

from tui.cached import CachedFiles
from tui.reader import Reader, Snapshot
from workspace.files import write_json


def read(made: Any) -> Snapshot:
    return to_the_end(Reader(made.root))


def to_the_end(reader: Reader) -> Snapshot:
    snapshot = reader.poll()
    while snapshot.pending:
        snapshot = reader.poll()
    return snapshot


def test_an_empty_directory_is_an_empty_workspace(made):
    snapshot = read(made)
    assert snapshot.runs == ()
    assert snapshot.dataset_count == snapshot.eval_count == 0


def test_a_finished_run_shows_what_is_on_disk(made):
    run = made.run("tempered", steps=200)
    made.evaluation(run, "pass")
    (made.root / "datasets/triage").mkdir(parents=True)
    snapshot = read(made)
    (row,) = snapshot.runs
    assert (row.id, row.label, row.state) == (run.name, "tempered-ab12", "finished")
    assert (row.metrics.step, row.metrics.max_steps) == (200, 200)
    assert len(row.losses) == 200
    assert row.remaining_seconds is None
    assert row.verdict is not None
    assert (row.verdict.verdict, row.verdict.headline) == ("pass", "It is a pass.")
    assert (row.method, row.adapter, row.base) == ("sft", "lora", "builtin")
    assert (snapshot.dataset_count, snapshot.eval_count) == (1, 1)


def test_a_running_run_says_how_long_it_still_takes(made):
    made.run("now", state="running", steps=100)
    (row,) = read(made).runs
    assert row.state == "running"
    assert row.remaining_seconds == pytest.approx(50.0)


def test_running_runs_come_first_and_then_the_newest(made):
    for day, state in enumerate(("running", "finished", "queued", "failed", "finished"), start=1):
        made.run(f"r{day}", state=state, day=day)
    assert [row.label[:2] for row in read(made).runs] == ["r1", "r3", "r5", "r4", "r2"]


def test_a_run_whose_machine_went_down_is_lost(made):
    run = made.run("gone", steps=5)
    made.job(made.job_of(run), state="running", result=f"runs/{run.name}", boot_id="another")
    assert read(made).runs[0].state == "lost"


def test_a_failed_run_says_why(made):
    run = made.run("bad")
    made.job(made.job_of(run), state="failed", result=f"runs/{run.name}", error="the disk is full")
    (row,) = read(made).runs
    assert (row.state, row.reason) == ("failed", "the disk is full")


def test_the_newest_evaluation_decides(made):
    run = made.run("again")
    made.evaluation(run, "fail", day=8)
    made.evaluation(run, "pass", day=9)
    (row,) = read(made).runs
    assert row.verdict is not None
    assert row.verdict.verdict == "pass"


def test_an_evaluation_of_two_runs_gives_each_its_verdict(made):
    first, second = made.run("one", day=1), made.run("two", day=2)
    path = made.evaluation(first, "fail") / "results.json"
    results = json.loads(path.read_text())
    results["models"].append({"name": "two", "role": "tuned", "path": f"runs/{second.name}"})
    results["comparisons"].append({"tuned": "two", "verdict": {"status": "pass"}})
    write_json(path, results)
    verdicts = {row.label: row.verdict.verdict for row in read(made).runs if row.verdict}
    assert verdicts == {"one-ab12": "fail", "two-ab12": "pass"}


def test_abilities_come_worst_first(made):
    made.evaluation(made.run("x"), "fail")
    (row,) = read(made).runs
    assert row.verdict is not None
    assert [ability.name for ability in row.verdict.abilities][:2] == ["copying", "capitals"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "run.json"),
        (b'{"schema_version": 1, "na', "run.json"),
        (b"\xff\xfe\x00", "run.json"),
        (b"[1, 2]", "not a JSON object"),
        (b'{"schema_version": 2}', "upgrade"),
        (b'{"name": "no schema"}', "upgrade"),
        (b"[" * 100_000, "run.json"),
    ],
)
def test_a_damaged_record_is_a_broken_row_with_its_reason(made, content, said):
    run = made.run("torn")
    (run / "run.json").write_bytes(content)
    made.run("whole", day=2)
    broken = [row for row in read(made).runs if row.state == "broken"]
    assert [row.id for row in broken] == [run.name]
    assert said in broken[0].reason


def test_a_run_without_a_record_is_a_broken_row(made):
    (made.workspace.runs / "half").mkdir(parents=True)
    (row,) = read(made).runs
    assert (row.state, row.label) == ("broken", "half")
    assert "no run record" in row.reason


@pytest.mark.parametrize(
    "job", [b"{", b'{"schema_version": 9}', b'{"schema_version": 1, "argv": 5}']
)
def test_a_damaged_job_record_is_a_broken_row(made, job):
    run = made.run("torn")
    (made.job_of(run) / "job.json").write_bytes(job)
    (row,) = read(made).runs
    assert row.state == "broken"
    assert "job" in row.reason


def test_a_run_whose_job_was_deleted_says_so(made):
    run = made.run("orphan")
    shutil.rmtree(made.job_of(run))
    (row,) = read(made).runs
    assert row.state == "lost"
    (run / "model").mkdir()
    (row,) = read(made).runs
    assert row.state == "finished"


@pytest.mark.parametrize(
    "results",
    [{}, {"comparisons": 5}, {"comparisons": [5, {}, {"verdict": {}}]}, {"models": [None]}],
)
def test_an_odd_evaluation_harms_nothing(made, results):
    run = made.run("fine")
    write_json(made.evaluation(run, "pass") / "results.json", {"schema_version": 1, **results})
    assert [row.state for row in read(made).runs] == ["finished"]


def test_odd_events_are_passed_over(made):
    run = made.run("odd", state="running")
    lines = [
        b'{"kind": "metrics", "step": 1, "max_steps": 9, "loss": 1.0, "time": 1.0}',
        b"not json",
        b'{"kind": "metrics", "step": "two", "loss": 1.0}',
        b'{"kind": "metrics", "step": -4, "loss": 1.0}',
        b'{"kind": "metrics", "step": 2, "max_steps": true, "loss": [], "time": "x"}',
        b'{"kind": "metrics", "step": 3, "max_steps": 9, "loss": "nan", "time": 2.0}',
        b"7",
        b'{"kind": 12, "a": {"b": 1}}',
        b"\xff\xff",
    ]
    (made.job_of(run) / "events.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    (row,) = read(made).runs
    assert row.losses.steps == (1,)
    assert (row.metrics.step, row.metrics.max_steps) == (3, 9)
    assert row.metrics.loss != row.metrics.loss


def test_only_what_is_new_is_read(made):
    run = made.run("live", state="running", steps=50)
    made.run("old", steps=50, day=2)
    reader = Reader(made.root)
    first = to_the_end(reader)
    before = reader.event_bytes_read
    made.train(run, [51])
    second = reader.poll()
    assert second is not first
    assert reader.event_bytes_read - before < 300
    assert second.runs[0].metrics.step == 51
    assert second.runs[1] is first.runs[1]


def test_nothing_new_gives_the_same_snapshot_and_reads_no_file(made):
    run = made.run("old", steps=50)
    made.evaluation(run, "pass")
    reader = Reader(made.root)
    first = to_the_end(reader)
    parsed, read_bytes = reader.files_parsed, reader.event_bytes_read
    for _ in range(20):
        assert reader.poll() is first
    assert (reader.files_parsed, reader.event_bytes_read) == (parsed, read_bytes)


def test_a_resumed_run_goes_on_from_its_checkpoint(made):
    run = made.run("again", state="stopped", steps=80)
    reader = Reader(made.root)
    to_the_end(reader)
    made.job(made.job_of(run), state="running", result=f"runs/{run.name}", attempt=2)
    made.train(run, range(51, 61), attempt=2)
    (row,) = to_the_end(reader).runs
    assert (row.state, row.attempt, row.metrics.step) == ("running", 2, 60)
    assert row.losses.steps == tuple(range(1, 61))


def test_the_last_events_of_an_ended_job_are_not_missed(made):
    run = made.run("last", state="running", steps=10)
    reader = Reader(made.root)
    to_the_end(reader)
    made.train(run, [11, 12])
    made.job(made.job_of(run), state="finished", result=f"runs/{run.name}")
    (row,) = to_the_end(reader).runs
    assert (row.state, row.metrics.step) == ("finished", 12)


def test_runs_may_come_and_go_while_the_reader_looks(made):
    reader = Reader(made.root)
    assert reader.poll().runs == ()
    run = made.run("brief", steps=3)
    assert len(to_the_end(reader).runs) == 1
    shutil.rmtree(run)
    assert reader.poll().runs == ()


def test_a_workspace_deleted_while_open_is_empty(made):
    made.run("x", steps=3)
    reader = Reader(made.root)
    to_the_end(reader)
    shutil.rmtree(made.root)
    assert reader.poll().runs == ()


def test_reading_while_another_writes_never_fails(made):
    run = made.run("busy", state="running")
    done = threading.Event()

    def write() -> None:
        for step in range(1, 201):
            made.train(run, [step])
            made.job(made.job_of(run), state="running", result=f"runs/{run.name}", attempt=1)
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    reader = Reader(made.root)
    while not done.is_set():
        states = {row.state for row in reader.poll().runs}
        assert states <= {"running"}
    writer.join()
    assert to_the_end(reader).runs[0].metrics.step == 200


def test_temporary_siblings_are_not_runs(made):
    (made.workspace.runs / ".new.tmp-1").mkdir(parents=True)
    assert read(made).runs == ()


def test_jobs_that_are_no_runs_are_counted_while_they_run(made):
    directory = made.workspace.jobs / "20261120-120000-eval-ab12"
    directory.mkdir(parents=True)
    made.job(directory, state="running", kind="eval")
    assert read(made).other_jobs == ("eval",)


class CountedRuns(dict[str, Any]):
    """Counts how often a run is asked for."""

    count = 0

    def __getitem__(self, run: str) -> Any:
        self.count += 1
        return super().__getitem__(run)


def test_a_thousand_runs_cost_little_at_rest(made):
    for number in range(1000):
        run = made.workspace.runs / f"20261101-{number:06d}-many-ab12"
        job = made.workspace.jobs / f"20261101-{number:06d}-train-ab12"
        for directory, file in ((run, "run.json"), (job, "job.json")):
            directory.mkdir(parents=True)
            record = {"schema_version": 1, "state": "finished", "result": f"runs/{run.name}"}
            (directory / file).write_text(json.dumps(record))
        (job / "events.jsonl").write_text('{"kind": "metrics", "step": 9, "loss": 1.0}\n')
    reader = Reader(made.root)
    first = to_the_end(reader)
    assert len(first.runs) == 1000
    assert reader.files_parsed == 2000
    looked_at, read_bytes = reader.files_looked_at, reader.event_bytes_read
    asked = CountedRuns(reader._followed)
    reader._followed = asked
    polls = 15
    for _ in range(polls):
        assert reader.poll() is first
    assert asked.count == 0
    each = (reader.files_looked_at - looked_at) / polls
    # Jobs that may be resumed are looked at in eight turns, records that stay as they are in more.
    assert each <= (CachedFiles.NEWEST + 1000 / CachedFiles.TURNS + 1) + (CachedFiles.NEWEST + 65)
    assert (reader.files_parsed, reader.event_bytes_read) == (2000, read_bytes)


def test_an_old_run_that_is_resumed_is_seen_within_some_polls(made):
    for day in range(1, 29):
        for number in range(4):
            made.run(f"n{number}", day=day)
    reader = Reader(made.root)
    to_the_end(reader)
    oldest = min(made.workspace.runs.iterdir())
    job = made.job_of(oldest)
    made.job(job, state="running", result=f"runs/{oldest.name}", attempt=2)
    for _ in range(CachedFiles.TURNS):
        snapshot = reader.poll()
    assert snapshot.runs[0].id == oldest.name
