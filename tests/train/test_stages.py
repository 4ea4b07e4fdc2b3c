"""Several runs as one job: what stages are to each other, and that none is lost or done twice."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from evalsuite.models import ModelSection
from tests.train.test_reinforcement import ask
from train.cli import register
from train.record import read_record
from train.reporter import Silent
from train.stage_sections import StagedTrainSection
from train.stages import Account, Entry, read_account, stages_of
from train.stages.recipes import settled
from workspace.context import Context
from workspace.errors import DataError, Stopped, UsageError
from workspace.jobs import read_job, run_job
from workspace.layout import Workspace
from workspace.recipe import Recipe, load_recipe

SECTIONS = {"model": ModelSection, "train": StagedTrainSection}
STAGES: list[dict[str, Any]] = [
    {"name": "sft", "dataset": "toy", "steps": 3},
    {"name": "reward", "dataset": "pairs", "method": "reward", "model": {"stage": "sft"}},
    {
        "name": "policy",
        "dataset": "asks",
        "model": {"stage": "sft"},
        "adapter": {"kind": "full"},
        "method": {
            "kind": "rloo",
            "rewards": [{"kind": "model", "stage": "reward"}],
            "num_generations": 2,
            "max_new_tokens": 6,
        },
    },
]
COMMON = {
    "steps": 2,
    "batch_size": 4,
    "adapter": {"kind": "lora", "r": 4},
    "learning_rate": 0.01,
    "max_length": 96,
    "checkpoint_every": 1,
    "rehearsal": "off",
    "limits": {"dropped": 1.0},
}


def load(path: Path, overrides: Sequence[str]) -> Recipe:
    """Read a recipe that may have stages."""
    return load_recipe(path, SECTIONS, overrides)


def pair(number: int) -> dict[str, Any]:
    """A preference that the first word of a question decides."""
    row = ask(number)
    first = row["answer"]
    other = "never" if first != "never" else "plan"
    return {
        "id": f"pair-{number}",
        "prompt": row["prompt"],
        "chosen": [{"role": "assistant", "content": first}],
        "rejected": [{"role": "assistant", "content": f"{other} {other}"}],
    }


class Staging:
    """A workspace with the data of three stages."""

    def __init__(self, bench: Any) -> None:
        self.bench, self.workspace = bench, bench.workspace
        bench.dataset("pairs", [pair(number) for number in range(16)])
        bench.dataset("asks", [ask(number) for number in range(16)])

    def recipe(self, stages: Any = STAGES, **common: Any) -> Recipe:
        """Write `temper.yaml` and read it."""
        train = {**COMMON, **common, "stages": stages}
        document = {"name": "toy", "model": {"path": str(self.bench.model)}, "train": train}
        (self.bench.root / "temper.yaml").write_text(json.dumps(document))
        return load(self.bench.root / "temper.yaml", ())

    def train(self, stages: Any = STAGES, reporter: Any = None, **common: Any) -> Path:
        """Train all stages in this process."""
        from train.stages.run import run_stages

        recipe = self.recipe(stages, **common)
        argv = ["temper", "train"]
        with run_job(self.workspace, "train", argv) as job:
            return run_stages(recipe, self.workspace, job, argv, reporter)

    def resume(self, reporter: Any = None, **options: Any) -> Path:
        """Go on with the only job of stages."""
        from train.stages.run import open_stages, resume_stages

        directory = self.job
        opened = open_stages(directory, self.workspace, load, reporter, **options)
        argv = ["temper", "resume"]
        with run_job(self.workspace, "train", argv, job_id=directory.name) as job:
            return resume_stages(opened, self.workspace, job, argv, reporter)

    @property
    def job(self) -> Path:
        """The job of the stages."""
        (file,) = self.workspace.jobs.glob("*/stages.json")
        return file.parent

    def runs(self) -> dict[str, Path]:
        """Each stage's run."""
        entries = read_account(self.job).entries
        return {one.name: self.workspace.runs / one.run for one in entries if one.run}


@pytest.fixture
def staging(bench: Any) -> Staging:
    return Staging(bench)


@pytest.fixture(scope="module")
def whole(
    tiny_model: Path, make_bench: Any, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Staging, Path]:
    """All three stages, done without a stop; read only."""
    made = Staging(make_bench(tmp_path_factory.mktemp("whole"), tiny_model))
    return made, made.train()


def test_three_runs_of_one_job_go_on_from_each_other(whole: tuple[Staging, Path]) -> None:
    staging, last = whole
    runs = staging.runs()
    assert [*runs] == ["sft", "reward", "policy"] and last == runs["policy"]
    assert last.name.split("-", 2)[2][:-5] == "toy"
    assert runs["sft"].name.split("-", 2)[2][:-5] == "toy-sft"
    records = {name: read_record(run) for name, run in runs.items()}
    assert [one["method"] for one in records.values()] == ["sft", "reward", "rloo"]
    for name in ("reward", "policy"):
        assert records[name]["begins"]["run"] == runs["sft"].name
        assert records[name]["begins"]["replayed"] is None and records[name]["replay"] is None
    assert records["policy"]["stage"] == {
        "name": "policy",
        "number": 3,
        "of": 3,
        "job": staging.job.name,
    }
    (reward,) = records["policy"]["settings"]["train"]["method"]["rewards"]
    assert reward["model"] == f"runs/{runs['reward'].name}" and reward["stage"] is None
    assert records["sft"]["steps"] == 3 and records["reward"]["steps"] == 2
    account = json.loads((staging.job / "stages.json").read_text())
    assert [one["state"] for one in account["stages"]] == ["done"] * 3
    for run in runs.values():
        files = ("plan.json", "proof.json", "ledger.json", "env.json", "batches.parquet")
        assert all((run / name).is_file() for name in files)
        assert (run / "model" / "manifest.json").is_file()


class Killer:
    """A reporter that ends its process without a word at a step of a stage."""

    def __init__(self, stage: str, step: int) -> None:
        self.stage, self.at, self.now = stage, step, ""

    def note(self, text: str) -> None:
        if text.startswith("stage ") and " of " in text:
            self.now = text.split()[1]

    def working(self, what: str, done: int, total: int) -> None:
        pass

    def planned(self, prepared: Any) -> None:
        pass

    def step(self, report: Any) -> None:
        if (self.now, report.step) == (self.stage, self.at):
            os.kill(os.getpid(), signal.SIGKILL)


def killed(work: Callable[[], Any]) -> None:
    """Do something in a process of its own that kills itself meanwhile."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(3)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL


def killing(*given: Any, **named: Any) -> None:
    """End this process without a word."""
    os.kill(os.getpid(), signal.SIGKILL)


def killing_when_done(name: str) -> Callable[..., Any]:
    """End the process when a stage is trained, before that is written down."""
    changed = Account.changed

    def change(self: Account, number: int, **fields: Any) -> Account:
        if fields.get("done") and self.entries[number].name == name:
            killing()
        return changed(self, number, **fields)

    return change


@pytest.mark.slow
def test_killed_in_every_stage_and_between_them_it_ends_as_if_it_had_not_been(
    whole: tuple[Staging, Path],
    staging: Staging,
    losses: Callable[[Path], list[float]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    killed(lambda: staging.train(reporter=Killer("sft", 2)))
    assert read_job(staging.job).state == "lost"
    with monkeypatch.context() as patch:
        patch.setattr("train.stages.run.Account.changed", killing_when_done("sft"))
        killed(staging.resume)
    assert not read_account(staging.job).entries[0].done
    with monkeypatch.context() as patch:
        patch.setattr("train.beginning.start.write_manifest", killing)
        killed(staging.resume)
    half = staging.runs()["reward"]
    assert half.is_dir() and not (half / "run.json").exists()
    killed(lambda: staging.resume(Killer("policy", 2)))
    finished = {name: read_record(staging.runs()[name]) for name in ("sft", "reward")}

    staging.resume()

    assert not half.exists() and read_account(staging.job).is_done
    for name, run in whole[0].runs().items():
        mine = staging.runs()[name]
        assert losses(mine) == losses(run)
        for file in (run / "model").glob("*.safetensors"):
            assert (mine / "model" / file.name).read_bytes() == file.read_bytes()
    assert [len(read_record(run)["attempts"]) for run in staging.runs().values()] == [2, 1, 2]
    for name, record in finished.items():
        assert read_record(staging.runs()[name]) == record
    assert len([*staging.workspace.runs.iterdir()]) == 3


class Stopper(Killer):
    """A reporter that asks its process to stop at a step of a stage."""

    def step(self, report: Any) -> None:
        if (self.now, report.step) == (self.stage, self.at):
            os.kill(os.getpid(), signal.SIGTERM)


def test_a_stopped_job_is_found_by_any_name_and_held_against_the_recipe(
    staging: Staging,
) -> None:
    from train.again import find_again
    from train.stages.run import open_stages

    two = [STAGES[0], {**STAGES[0], "name": "more", "model": {"stage": "sft"}}]
    with pytest.raises(Stopped) as caught:
        staging.train(two, Stopper("more", 1), steps=2)
    runs = staging.runs()
    assert caught.value.cure.endswith(f"temper resume {runs['more'].name}")
    assert {read_job(path.parent).state for path in staging.workspace.jobs.glob("*/job.json")} == {
        "stopped",
        "finished",
    }
    assert read_job(staging.job).state == "stopped"
    names = ("toy", "latest", runs["sft"].name, runs["more"].name, staging.job.name)
    for name in (*names, str(staging.job), str(runs["sft"])):
        assert find_again(name, staging.workspace).directory == staging.job

    def opened(stages: Any, **options: Any) -> Any:
        staging.recipe(stages, steps=2)
        return open_stages(staging.job, staging.workspace, load, **options)

    longer = [{**two[0], "steps": 4}, two[1]]
    with pytest.raises(UsageError, match="1 thing is not as when") as refused:
        opened(longer)
    assert refused.value.where == str(runs["sft"]) and "train.steps: was 3, is 4" in str(
        refused.value
    )
    assert opened(longer, accept=["train.steps"]).opened is not None
    assert opened([{**two[0], "micro_batch_size": 2, "threads": 1}, two[1]]).accepted == []
    changed = [{**two[0], "learning_rate": 0.5}, two[1]]
    accepted = opened(changed, accept=["train.learning_rate"]).accepted
    change = {"name": "train.learning_rate", "before": "0.01", "now": "0.5"}
    assert accepted == [{"stage": "sft", **change}]
    replace(read_account(staging.job), accepted=tuple(accepted)).written()
    assert opened(changed).accepted == []  # asked once
    renamed = [two[0], {**two[1], "name": "third"}]
    for other in (two[:1], [*two, renamed[1]], renamed):
        with pytest.raises(UsageError, match="not those that this job began with"):
            opened(other)
    (staging.workspace.root / "temper.yaml").unlink()
    copied = open_stages(staging.job, staging.workspace, load)
    assert copied.accepted == [] and copied.opened is not None
    (staging.job / "recipe.yaml").unlink()
    with pytest.raises(UsageError, match="the recipe of these stages is gone"):
        open_stages(staging.job, staging.workspace, load)


def test_what_was_begun_last_under_a_name_is_gone_on_with(tmp_path: Path) -> None:
    from train.again import find_again

    workspace = Workspace(tmp_path)
    job = workspace.jobs / "20260101-000000-train-aaaa"
    job.mkdir(parents=True)
    entries = (Entry("one", "sft", "20260101-000000-toy-one-bbbb"), Entry("two", "sft"))
    Account(job, tmp_path / "temper.yaml", (), "toy", entries).written()
    damaged = workspace.jobs / "20260102-000000-train-cccc"
    damaged.mkdir()
    (damaged / "stages.json").write_text("{}")
    assert find_again("toy", workspace).directory == job
    with pytest.raises(DataError, match="this account of stages is not whole"):
        read_account(damaged)
    run = workspace.runs / "20260103-000000-toy-dddd"
    run.mkdir(parents=True)
    (run / "run.json").write_text("{}")
    assert find_again("toy", workspace).directory == run
    assert find_again(job.name, workspace).directory == job


def test_stages_killed_after_the_last_are_finished(tmp_path: Path) -> None:
    from train.again import find_again

    home = Workspace(tmp_path)
    with run_job(home, "train", ["temper", "train"]) as job:
        pass
    run = home.runs / "20260101-000000-toy-aaaa"
    (run / "model").mkdir(parents=True)
    (run / "run.json").write_text(json.dumps({"job": "gone", "stage": {"job": job.id}}))
    entries = (Entry("one", "sft", run.name, "gone", True),)
    Account(job.dir, tmp_path / "temper.yaml", (), "toy", entries).written()
    for name in ("toy", job.id):
        record = {**job.record, "state": "running", "pid": 2**22 - 1}
        (job.dir / "job.json").write_text(json.dumps(record))
        again = find_again(name, home)
        assert read_job(job.dir).state == "lost" and again.finish() and not again.finish()
        assert read_job(job.dir).state == "finished"


def test_finished_stages_are_not_begun_again(whole: tuple[Staging, Path]) -> None:
    from train.again import find_again

    staging, last = whole
    for name in ("toy", "latest", last.name):
        again = find_again(name, staging.workspace)
        assert again.directory == last
        with pytest.raises(UsageError, match="this run is finished"):
            again.open(load, Silent(), ())


def test_the_last_run_is_evaluated_against_the_stage_that_it_begins_with(
    whole: tuple[Staging, Path],
) -> None:
    from evalsuite.engine.subjects import common_base, find_subject

    staging, last = whole
    for name in ("toy", "latest"):
        subject = find_subject(name, staging.workspace)
        assert subject.run == last.name and common_base([subject]).path == last / "start"
        assert subject.trained is not None
        assert subject.trained.base_digest == common_base([subject]).digest


app = typer.Typer()


@app.callback()
def root(context: typer.Context) -> None:
    context.obj = Context(lambda: SECTIONS, ("temper",))


register(app)


@pytest.fixture
def temper(staging: Staging, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Run `temper …` in the workspace."""
    staging.recipe()
    monkeypatch.chdir(staging.workspace.root)
    monkeypatch.setenv("COLUMNS", "160")

    def call(*arguments: str) -> str:
        result = CliRunner().invoke(app, list(arguments))
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.stdout

    return call


def test_commands_answer_for_every_stage_and_spend_nothing(
    temper: Callable[..., str], staging: Staging
) -> None:
    document = json.loads(temper("plan", "--json"))
    assert [(one["stage"], one["steps"]) for one in document["stages"]] == [
        ("sft", 3),
        ("reward", 2),
        ("policy", 2),
    ]
    assert all(one["estimate"] for one in document["stages"])
    shown = temper("plan")
    assert all(f"stage {stage['name']}\n" in shown for stage in STAGES)
    levers = json.loads(temper("train", "--explain-speed", "--json"))
    assert [one["stage"] for one in levers["stages"]] == ["sft", "reward", "policy"]
    assert "chosen" in temper("preview", "--stage", "reward", "--rows", "1")
    with pytest.raises(UsageError, match="no stage 'rewards'") as caught:
        temper("preview", "--stage", "rewards")
    assert "Did you mean `reward`?" in caught.value.cure
    assert not staging.workspace.runs.exists() and not staging.workspace.jobs.exists()


def test_the_latest_run_is_that_of_before_the_first_stage(staging: Staging) -> None:
    runs = staging.workspace.runs
    for number, name in enumerate(("before", "of-a-stage"), 1):
        run = runs / f"2026010{number}-000000-{name}-aaaa"
        run.mkdir(parents=True)
        (run / "run.json").write_text("{}")
        if number == 1:
            stages = [{"name": "one"}, {"name": "two", "from": "latest"}]
            recipe, overrides = settled(staging.recipe(stages), staging.workspace)
    before = "20260101-000000-before-aaaa"
    assert overrides == [f"train.stages.1.from={before}"]
    again = load(recipe.path, overrides)
    assert [stage.from_run for one in (recipe, again) for stage in stages_of(one)] == [
        None, before, None, before
    ]  # fmt: skip


def test_check_says_of_which_stage_something_is_wrong(staging: Staging) -> None:
    from tui.check import check_recipe

    recipe = staging.recipe()
    assert {one.what for one in check_recipe(recipe) if one.level == "fail"} == set()
    plans = [one.what for one in check_recipe(recipe) if one.what.endswith(": plan")]
    assert {*plans} == {"sft: plan", "reward: plan", "policy: plan"}
    wrong = [*STAGES[:2], {**STAGES[2], "dataset": "pairs"}]
    (fault,) = [one for one in check_recipe(staging.recipe(wrong)) if one.level == "fail"]
    assert fault.what == "policy: training" and "cannot learn from preference" in fault.found
    missing = [{**STAGES[0], "dataset": "none-yet"}, *STAGES[1:]]
    found = [one for one in check_recipe(staging.recipe(missing)) if "none-yet" in one.found]
    assert found[0].what == "sft: dataset" and found[0].level == "warn"


def test_a_killed_job_is_resumed_as_a_person_types_it(
    temper: Callable[..., str], staging: Staging
) -> None:
    killed(lambda: staging.train(STAGES[:1], Killer("sft", 2)))
    shown = temper("resume", "toy")
    run = staging.runs()["sft"]
    assert run.name in shown and read_account(staging.job).is_done
    assert len(read_record(run)["attempts"]) == 2
    assert read_job(staging.job).state == "finished" and read_job(staging.job).attempt == 2
