"""One adapter for each group: equal to runs alone, on a base loaded once, resumed in the middle."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from ruamel.yaml import YAML
from typer.testing import CliRunner

from evalsuite.models import ModelSection
from train.again import Again
from train.cli import register
from train.each.base import SharedBase, fingerprint
from train.each.plan import plan_groups
from train.each.run import _compared, _differences, open_each, resume_each, run_each
from train.environment import versions
from train.inputs import find_inputs
from train.recipe import TrainSection
from train.record import read_record
from train.reporter import Silent
from workspace.context import Context
from workspace.errors import LimitExceeded, ModelError, Stopped, UsageError
from workspace.events import read_events
from workspace.files import hash_file
from workspace.jobs import read_job, run_job

VALUES = {"../Ada": 11, "ada": 9, "Čapek": 17}
EACH = {"column": "customer", "min_rows": 5}
ADAPTER = {"kind": "lora", "r": 4, "dropout": 0.1, "trainable_tokens": ["<|im_end|>"]}
RECIPE = {"each": EACH, "steps": 4, "checkpoint_every": 2, "adapter": ADAPTER}


def rows_of(bench: Any) -> list[dict[str, Any]]:
    names = [name for name, count in VALUES.items() for _ in range(count)]
    rows = bench.chats(len(names))
    for place, row in enumerate(rows):  # mixed, so that groups are not slices
        row["customer"] = names[(place * 10) % len(names)]
    return list(rows)


def each(bench: Any, train: dict[str, Any], reporter: Any = None) -> Path:
    recipe = bench.recipe(train)
    with run_job(bench.workspace, "train", ["temper", "train"]) as job:
        return run_each(recipe, bench.workspace, job, bench.load, reporter or Silent())


def again(bench: Any, run: Path, **options: Any) -> Path:
    opened = open_each(run, bench.workspace, bench.load, Silent(), **options)
    argv, job_id = ["temper", "resume"], str(opened.record["job"])
    with run_job(bench.workspace, "train", argv, job_id=job_id) as job:
        return resume_each(opened, bench.workspace, job, bench.load, Silent())


def weights(run: Path) -> str:
    return hash_file(run / "model" / "adapter_model.safetensors")


def parts(bench: Any, run: Path) -> list[Path]:
    return [bench.workspace.runs / one["run"] for one in read_record(run)["groups"]]


@pytest.fixture(scope="module")
def made(
    make_bench: Any, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Any, Path]]:
    """A finished whole of three groups; read only."""
    bench = make_bench(tmp_path_factory.mktemp("each"), tiny_model)
    bench.dataset("toy", rows_of(bench))
    yield bench, each(bench, RECIPE)


def test_each_group_is_the_run_that_it_would_be_alone(made: Any, bench: Any) -> None:
    whole, run = made
    for place, value in zip(parts(whole, run), sorted(VALUES), strict=True):
        record = read_record(place)
        assert record["group"] == {"value": value, "column": "customer", "of": run.name}
        bench.dataset("toy", [row for row in rows_of(bench) if row["customer"] == value])
        alone = bench.train({**RECIPE, "each": None})
        assert weights(place) == weights(alone)
        for file in ("proof.json", "batches.parquet", "env.json", "ledger.json"):
            assert (place / file).is_file()
    assert len({weights(place) for place in parts(whole, run)}) == 3


def test_the_base_is_loaded_once_and_lent_to_every_group(made: Any) -> None:
    bench, run = made
    events, _ = read_events(bench.workspace.jobs / read_record(run)["job"] / "events.jsonl")
    assert [(one["loads"], one["lent"]) for one in events if one["kind"] == "base"] == [(1, 3)]
    assert [one["value"] for one in events if one["kind"] == "group"] == sorted(VALUES)


def test_hostile_names_stay_below_the_workspace(made: Any) -> None:
    bench, run = made
    names = sorted(path.name for path in bench.workspace.runs.iterdir())
    assert len(names) == 4 and all(
        set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-") for name in names
    )
    assert sorted(path.name for path in (run / "groups").iterdir())[0].startswith("ada-")
    assert bench.workspace.run("latest") == run.resolve()


def test_the_whole_is_planned_before_anything_is_loaded(made: Any) -> None:
    bench, _ = made
    whole = plan_groups(find_inputs(bench.recipe(RECIPE), bench.workspace))
    assert [(one.value, one.rows, one.steps) for one in whole.plans] == [
        (value, VALUES[value], 4) for value in sorted(VALUES)
    ]
    assert whole.steps == 12 and all(one.tokens > one.tokens_trained > 0 for one in whole.plans)


@pytest.mark.slow
def test_a_stop_in_the_second_group_goes_on_in_it(bench: Any, made: Any) -> None:
    class Stopper(Silent):
        steps = 0

        def step(self, report: Any) -> None:
            self.steps += 1
            if self.steps == 4 + 2:
                signal.raise_signal(signal.SIGTERM)

    bench.dataset("toy", rows_of(bench))
    with pytest.raises(Stopped) as caught:
        each(bench, RECIPE, Stopper())
    (run,) = [
        path
        for path in bench.workspace.runs.iterdir()
        if (path / "plan.json").is_file() and "groups" in read_record(path)
    ]
    assert caught.value.cure == f"Continue with: temper resume {run.name}"
    first, second, third = parts(bench, run)
    assert (first / "model").is_dir() and second.is_dir() and not third.exists()
    before = (first / "model" / "manifest.json").stat().st_mtime_ns
    (bench.root / "temper.yaml").unlink()  # the whole has a copy
    again(bench, run)
    assert (first / "model" / "manifest.json").stat().st_mtime_ns == before
    assert [one["from_step"] for one in read_record(second)["attempts"]] == [0, 3]
    whole, finished = made
    assert [weights(one) for one in parts(bench, run)] == [
        weights(one) for one in parts(whole, finished)
    ]
    with pytest.raises(UsageError, match="all groups of this run are finished"):
        open_each(run, bench.workspace, bench.load, Silent())


@pytest.mark.slow
def test_kill_9_in_the_third_group_resumes_in_the_third_group(bench: Any, zygote: Any) -> None:
    bench.dataset("toy", rows_of(bench))
    bench.recipe({**RECIPE, "steps": 24, "checkpoint_every": 2})
    pid = zygote.train(bench.root, each=True)
    run = wait_for(
        lambda: next(
            (
                path
                for path in bench.workspace.runs.glob("*/plan.json")
                if "groups" in json.loads(path.read_text())
            ),
            None,
        )
    ).parent
    wait_for((run / "run.json").is_file)
    third = parts(bench, run)[2]
    wait_for(lambda: list(third.glob("checkpoints/step-*")))
    os.kill(pid, signal.SIGKILL)
    assert zygote.wait(pid) == -signal.SIGKILL
    assert not (third / "model").exists()
    assert read_job(bench.workspace.jobs / read_record(run)["job"]).state == "lost"
    kept = [weights(one) for one in parts(bench, run)[:2]]
    assert zygote.wait(zygote.resume(run)) == 0
    assert [weights(one) for one in parts(bench, run)[:2]] == kept
    assert [len(read_record(one)["attempts"]) for one in parts(bench, run)] == [1, 1, 2]
    assert read_record(third)["attempts"][1]["from_step"] >= 2
    bench.dataset("toy", [row for row in rows_of(bench) if row["customer"] == "Čapek"])
    alone = bench.train({**RECIPE, "each": None, "steps": 24, "checkpoint_every": 2})
    assert weights(third) == weights(alone)


def test_changed_settings_or_rows_stop_a_resumed_whole(bench: Any) -> None:
    class Stopper(Silent):
        def step(self, report: Any) -> None:
            signal.raise_signal(signal.SIGTERM)

    bench.dataset("toy", rows_of(bench))
    with pytest.raises(Stopped):
        each(bench, RECIPE, Stopper())
    run = bench.workspace.run("latest")
    bench.recipe({**RECIPE, "learning_rate": 0.5})
    with pytest.raises(UsageError, match="not as when this run began") as caught:
        open_each(run, bench.workspace, bench.load, Silent())
    assert "train.learning_rate: was 0.01, is 0.5" in caught.value.cause
    open_each(run, bench.workspace, bench.load, Silent(), accept=["train.learning_rate"])
    bench.recipe(RECIPE)
    bench.dataset("toy", rows_of(bench)[1:])
    with pytest.raises(UsageError) as caught:
        open_each(run, bench.workspace, bench.load, Silent())
    assert "data: was" in caught.value.cause
    bench.dataset("toy", rows_of(bench))
    bench.recipe({**RECIPE, "learning_rate": 0.02})
    again(bench, run, accept=["train.learning_rate"])
    (change,) = read_record(run)["attempts"][1]["accepted"]
    assert change == {"name": "train.learning_rate", "before": "0.01", "now": "0.02"}
    assert read_record(run)["settings"]["train"]["learning_rate"] == 0.02


def test_what_all_groups_read_is_compared_for_the_whole(bench: Any) -> None:
    bench.dataset("toy", rows_of(bench))
    replay = {"replay": {"dataset": "general", "share": 0.5}}

    def inputs(**train: Any) -> Any:
        recipe = bench.recipe({**RECIPE, "tempering": replay, **train})
        return find_inputs(recipe, bench.workspace)

    def told(now: Any) -> list[tuple[str, bool]]:
        return [(one.name, one.stops) for one in _differences(record, now, bench.workspace)]

    record: dict[str, Any] = {**_compared(inputs()), "groups": [{"run": "one"}]}
    assert told(inputs()) == []
    assert told(inputs(micro_batch_size=2)) == [("train.micro_batch_size", False)]
    bench.dataset("general", bench.chats(19, kind="replay"))
    assert told(inputs()) == [("replay", True)]
    record |= _compared(inputs())
    del record["settings"]["train"]["vision"]
    (bench.workspace.runs / "one").mkdir(parents=True)
    of_then = {"versions": {**versions(), "torch": "1.0"}, "precision": "float32", "threads": 64}
    (bench.workspace.runs / "one" / "env.json").write_text(json.dumps({"device": "cpu", **of_then}))
    assert told(inputs(threads=2)) == [("versions.torch", True), ("threads", True)]


def test_a_whole_that_asks_for_one_run_now_is_refused(bench: Any) -> None:
    run = bench.workspace.runs / "20260101-000000-toy-aaaa"
    run.mkdir(parents=True)
    recipe = bench.recipe({**RECIPE, "each": None})
    record = {"recipe": str(recipe.path), "overrides": [], "groups": [{"run": "one"}]}
    (run / "run.json").write_text(json.dumps({**record, "each": {"column": "customer"}}))
    with pytest.raises(UsageError, match="asks for one of all rows") as caught:
        open_each(run, bench.workspace, bench.load, Silent(), accept=["train"])
    assert "each: customer" in caught.value.cause


def lose(job: Path) -> None:
    """Leave a job's record as a kill does."""
    record = json.loads((job / "job.json").read_text())
    record |= {"state": "running", "pid": 2**22 - 1, "ended": None}
    (job / "job.json").write_text(json.dumps(record))


def test_a_whole_that_was_killed_after_its_last_model_is_finished(bench: Any) -> None:
    home = bench.workspace
    jobs = []
    for name, fields in (("whole", {"groups": [{"run": "one"}]}), ("one", {"steps": 2})):
        with run_job(home, "train", ["temper", "train"]) as job:
            jobs.append(job.dir)
        (home.runs / name).mkdir(parents=True)
        (home.runs / name / "run.json").write_text(json.dumps({"job": job.id, **fields}))
    again = Again(home.runs / "whole", home)
    for job in jobs:
        lose(job)
    assert not again.finish() and read_job(jobs[0]).state == "lost"
    (home.runs / "one" / "model").mkdir()
    assert again.finish() and not again.finish()
    assert [read_job(job).state for job in jobs] == ["finished", "finished"]


def test_a_base_that_was_changed_is_noticed() -> None:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=8, hidden_size=8, intermediate_size=8, num_hidden_layers=1,
        num_attention_heads=1,
    )  # fmt: skip
    plan: Any = type("Prepared", (), {"plan": type("Plan", (), {"seed": 0})})
    base = SharedBase(lambda *_: LlamaForCausalLM(config))
    first, second = (base.lend(plan, plan, plan) for _ in range(2))
    pairs = zip(first.parameters(), second.parameters(), strict=True)
    assert first is not second and all(one is other for one, other in pairs)
    first.register_forward_pre_hook(lambda *_: pytest.fail("a hook of another group"))
    next(first.parameters()).requires_grad_(False)
    base.check()
    assert next(second.parameters()).requires_grad
    second(torch.tensor([[1, 2]]))
    with torch.no_grad():
        next(first.parameters()).add_(1e-3)
    with pytest.raises(LimitExceeded, match="has changed the base"):
        base.lend(plan, plan, plan)


def test_values_that_changed_places_are_noticed() -> None:
    import torch

    weights = torch.arange(1003, dtype=torch.float32)
    known = fingerprint(weights)
    assert (
        fingerprint(weights.clone()) == known == fingerprint(torch.cat([weights, weights])[:1003])
    )
    for one, other in ((0, 1), (0, 1002), (4, 6)):
        swapped = weights.clone()
        swapped[one], swapped[other] = weights[other], weights[one]
        assert fingerprint(swapped) != known
    negated = torch.tensor([[1.0, 1.0, 1.0, -1.0], [1.0, -1.0, 1.0, 1.0]])
    assert fingerprint(negated[0]) != fingerprint(negated[1])
    assert fingerprint(torch.tensor(2.0).bfloat16()) != fingerprint(torch.tensor(3.0).bfloat16())
    assert fingerprint(torch.empty(0)) == 0


def test_one_run_is_not_made_of_a_recipe_for_many(bench: Any) -> None:
    bench.dataset("toy", rows_of(bench))
    with pytest.raises(UsageError, match="one for each group"):
        bench.train(RECIPE)


def test_all_groups_are_evaluated_and_served_under_the_name_of_the_whole(made: Any) -> None:
    from evalsuite.engine.groups import all_members
    from evalsuite.engine.subjects import find_subject, run_subject
    from evalsuite.engine.voices import open_voices
    from evalsuite.models.load import Placement
    from train.export.shipment import open_shipment

    bench, run = made
    names = all_members([run.name, run.name], bench.workspace)
    assert names == [str(one.resolve()) for one in parts(bench, run)]
    assert len({find_subject(name, bench.workspace).name for name in names}) == 3
    with pytest.raises(ModelError, match="is 3 runs, an adapter for each group"):
        run_subject(run)
    shipments = [open_shipment(name, bench.workspace) for name in names]
    place = Placement("cpu", "float32", "")
    ask = [{"role": "user", "content": "train: card refund"}]
    first, *rest = shipments
    others = [(one.run.name, one.subject) for one in rest]
    with open_voices(first.subject, first.run.name, first.base, place, others=others) as together:
        assert together.names == ["base", *(one.run.name for one in shipments)]
        prompt = tuple(together.prompt(ask))
        for one in shipments:
            with open_voices(one.subject, one.run.name, one.base, place) as alone:
                for name in ("base", one.run.name):
                    told = list(together.say(name, prompt, max_new_tokens=12))
                    assert told == list(alone.say(name, prompt, max_new_tokens=12))


def test_the_command_shows_the_groups_and_what_is_left_out(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = rows_of(bench)
    for row in rows[:3]:
        row["customer"] = None
    bench.dataset("toy", rows)
    monkeypatch.chdir(bench.root)
    app = typer.Typer()
    app.callback()(_root)
    register(app)

    def temper(*arguments: str) -> Any:
        return CliRunner().invoke(app, list(arguments))

    bench.recipe({**RECIPE, "each": "customer"})
    assert "3 rows have no customer." in str(temper("plan").exception)
    given = {"column": "customer", "min_rows": 9, "left_out": "skip"}
    bench.recipe({**RECIPE, "each": given, "steps": 1})
    shown = temper("plan").stdout
    assert "one adapter for each customer" in shown and "../Ada" in shown
    assert "! 3 rows have no customer and are left out" in shown
    document = json.loads(temper("plan", "--json").stdout)
    kept = [one["value"] for one in document["groups"]]
    assert [one["steps"] for one in document["groups"]] == [1] * len(kept)
    assert {one["value"] for one in document["each"]["too_small"]} == {*VALUES} - {*kept}
    done = temper("train", "--json", "--name", "many")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert [one["value"] for one in found["groups"]] == kept
    assert "rows have no customer and are not learnt" in done.stderr
    assert "all groups of this run are finished" in str(temper("resume", found["run"]).exception)


def test_the_documentation_is_a_recipe() -> None:
    text = (Path(__file__).parents[3] / "docs/train-each.md").read_text()
    found = [YAML(typ="safe").load(part.split("```")[0]) for part in text.split("```yaml")[1:]]
    sections = [TrainSection.model_validate(one["train"]) for one in found]
    assert [one.each.column for one in sections if one.each] == ["customer", "meta.language"]


def _root(context: typer.Context) -> None:
    sections = {"model": ModelSection, "train": TrainSection}
    context.obj = Context(lambda: sections, ("temper", "train"))


def wait_for(found: Any, seconds: float = 120.0) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if result := found():
            return result
        time.sleep(0.01)
    raise AssertionError("it did not happen in time")
