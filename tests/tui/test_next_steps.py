"""What to do next follows from what is on disk, with a command that can be typed."""

import shlex
from pathlib import Path

import pytest
from typer.main import get_command

from tui import next_steps as module
from tui.command_line import app
from tui.jobs import JobRow
from tui.next_steps import next_steps
from tui.poller import Update
from tui.reader import Reader
from tui.screens.live import LiveScreen
from tui.snapshot import RunRow, Snapshot
from workspace.files import write_json


def steps(made):
    reader = Reader(made.root)
    snapshot = reader.poll()
    while snapshot.pending:
        snapshot = reader.poll()
    return next_steps(snapshot)


def commands(made):
    return [step.command for step in steps(made)]


def test_the_loop_is_walked_step_by_step(made):
    assert commands(made) == ["temper demo . --detach", "temper init .", ""]
    made.recipe()
    assert commands(made) == ["temper curate --detach"]
    job = made.other_job("curate", state="running")
    assert commands(made) == [""]
    made.job(job, state="finished", kind="curate", argv=["temper", "curate"])
    made.dataset("triage")
    assert commands(made) == ["temper train --detach"]
    run = made.run("triage", state="running", steps=5)
    assert commands(made) == [""]
    made.job(made.job_of(run), state="stopped", result=f"runs/{run.name}")
    (step,) = steps(made)
    assert step.command == "temper resume triage-ab12 --detach"
    assert step.words == "triage stopped at step 5 of 200. Go on from its checkpoint."
    made.job(made.job_of(run), state="finished", result=f"runs/{run.name}")
    assert commands(made) == ["temper eval triage-ab12 --detach"]
    made.other_job("eval", day=2, state="running")
    job = made.workspace.jobs / "20261102-110000-eval-ef56"
    made.job(job, state="running", kind="eval", argv=["temper", "eval", "triage"])
    assert commands(made) == [""]
    made.job(job, state="running", kind="eval", argv=["temper", "eval", "--suite", "target"])
    assert commands(made) == [""]  # that is the latest run
    made.job(job, state="finished", kind="eval")
    made.evaluation(run, "pass")
    assert commands(made) == ["temper export triage-ab12 exported/triage-ab12 --to merged"]


REPLAYING = """
  method: sft   # dataset: not-this-one
  tempering:
    replay:
      dataset: general
      share: 0.6
evaluate: {}"""


def test_training_waits_for_every_dataset_that_the_recipe_names(made):
    made.recipe(curate="{}", train=REPLAYING)
    made.recipe("general.yaml", name="general", curate="{}")
    made.dataset("triage")
    assert commands(made) == ["temper curate general.yaml --detach"]  # it would fail before
    assert steps(made)[0].words == (
        "The recipe general has no dataset yet, and triage trains on it. Curate its rows."
    )
    curate = ["temper", "curate", "general.yaml"]
    job = made.other_job("curate", state="running", result="datasets/general")
    made.job(job, state="running", kind="curate", argv=curate)
    (step,) = steps(made)
    assert (step.command, step.about) == ("temper logs curate-ef56", "triage")
    assert step.words == (
        "triage trains on rows of general too, which are being made: wait for curate-ef56."
    )
    made.job(job, state="finished", kind="curate", argv=curate)
    made.dataset("general")
    assert commands(made) == ["temper train --detach"]
    made.job(job, state="queued", kind="curate", argv=["temper", "curate"])
    (step,) = steps(made)
    assert step.words == "New rows of triage are being made: wait for curate-ef56."


def test_a_dataset_that_nothing_here_makes_is_told_before_training(made):
    made.recipe(curate="{}", train="{dataset: 'triage', tempering: {replay: {dataset: old}}}")
    made.dataset("triage")
    (step,) = steps(made)
    assert step.words == (
        "triage trains on rows of old too, which are not here, and no recipe here makes them."
    )
    assert (step.command, step.role) == ("temper check", "warn")
    made.recipe(train="{dataset: triage, tempering: {replay: {dataset: ../old/1a}}}")
    assert commands(made) == ["temper train --detach"]  # a directory: `temper train` looks


def test_a_curation_that_failed_is_told_with_its_reason_before_it_is_proposed_again(made):
    made.recipe()
    made.recipe("other.yaml", name="other")
    job = made.other_job(
        "curate", state="failed", error="20 of 70 rows cannot be used. For example:"
    )
    first, second, third = steps(made)
    assert first.words == (
        "Curating triage failed: 20 of 70 rows cannot be used. Read why, and what to do."
    )
    assert (first.command, first.role) == ("temper logs curate-ef56", "bad")
    assert second.command == "temper curate --detach"
    assert third.command == "temper curate other.yaml --detach"
    made.job(job, state="running", kind="curate", argv=["temper", "curate"])
    assert commands(made) == ["temper curate other.yaml --detach"]
    made.job(job, state="finished", kind="curate", argv=["temper", "curate"])
    assert commands(made)[0] == "temper curate --detach"


def test_among_files_of_ones_own_init_comes_first_and_the_demo_gets_a_new_directory(made):
    (made.root / "rows.jsonl").touch()
    assert commands(made) == ["temper init .", "temper demo demo --detach", ""]
    (made.root / "demo").mkdir()
    assert commands(made)[1] == "temper demo demo-2 --detach"


def test_a_failed_verdict_leads_to_the_dial_and_then_to_its_point(made):
    run = made.run("naive")
    made.evaluation(run, "fail")
    (step,) = steps(made)
    assert step.command == "temper dial naive-ab12 --detach"
    assert "forgot copying (-54.9)" in step.words
    dial = made.workspace.evals / "20261120-120000-naive-dial-ab12"
    dial.mkdir()
    chosen = {"point": {"name": "0.4", "scale": 0.4}}
    record = {"schema_version": 1, "run": run.name, "name": "naive", "recommendation": chosen}
    write_json(dial / "dial.json", record)
    (step,) = steps(made)
    assert step.command == "temper dial naive-ab12 --write --detach"
    write_json(dial / "dial.json", {**record, "recommendation": None, "refusal": "lost"})
    (step,) = steps(made)
    assert (step.command, "Replay more" in step.words) == ("", True)


@pytest.mark.parametrize(
    ("status", "command"),
    [
        ("inconclusive", "temper eval x-ab12 --top-up --detach"),
        ("invalid", "temper report eval-cd34"),
    ],
)
def test_other_verdicts_have_their_own_way_out(made, status, command):
    made.evaluation(made.run("x"), status)
    assert commands(made) == [command]


def test_what_a_later_run_of_the_name_made_up_for_is_past(made):
    made.run("x", state="failed", day=1)
    run = made.run("x", day=2)
    made.evaluation(run, "pass")
    assert [step.about for step in steps(made)] == [run.name]


def test_a_failure_says_why_and_new_rows_ask_for_a_run(made):
    made.recipe()
    made.dataset("triage")
    run = made.run("x", state="failed")
    made.job(made.job_of(run), state="failed", result=f"runs/{run.name}", error="the disk is full.")
    assert steps(made)[0].words == "x failed: the disk is full. Go on from its checkpoint."
    made.dataset("triage", digest="99887766")
    assert steps(made)[1].words == "The newest rows of triage were not trained on yet. Train."


def test_while_the_demo_works_nothing_else_is_proposed(made):
    made.recipe()
    made.other_job("demo", state="running")
    (step,) = steps(made)
    assert (step.command, "demo is at work" in step.words) == ("", True)


def test_a_thousand_failed_runs_are_a_short_list(made):
    for number in range(30):
        made.run(f"r{number}", state="failed", day=1)
    assert len(steps(made)) == 8


def test_every_command_is_one_that_temper_has(made):
    known = get_command(app).commands
    made.evaluation(made.run("x"), "fail")
    made.run("y", day=2)
    made.run("z", state="lost", day=3)
    for step in steps(made):
        name, *options = shlex.split(step.command)[1:]
        declared = {option for one in known[name].params for option in one.opts}
        given = {one for one in options if one.startswith("--")}
        assert given - {"--detach"} <= declared


def test_the_command_of_a_job_is_read_once_however_many_runs_there_are(monkeypatch):
    read = []
    monkeypatch.setattr(module, "_arguments", lambda job: read.append(job.id) or ["eval", "r7"])
    here = Path()
    runs = [RunRow(f"r{n}", here, "finished", name=f"r{n}") for n in range(50)]
    jobs = [JobRow(f"j{n}", here, "running", kind="eval") for n in range(20)]
    found = next_steps(Snapshot(here, runs=tuple(runs), jobs=tuple(jobs)))
    assert len(found) == module.MOST and len(read) == len(jobs)
    assert "r7" not in {step.about for step in found}


def test_lines_of_a_log_reach_only_hidden_screens_that_follow_one(monkeypatch):
    shown = []
    for follows in (False, True):
        screen = LiveScreen()
        monkeypatch.setattr(screen, "follows_log", follows, raising=False)
        monkeypatch.setattr(screen, "show", lambda update: shown.append(update.log_lines))
        update = Update(Snapshot(Path()), log_lines=("one",))
        screen.hear(update, is_seen=True)
        screen.hear(update, is_seen=False)
    assert len(shown) == 3
