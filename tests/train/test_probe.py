"""The probe while training: which step is published, and that nothing else changes by it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pyarrow.parquet as pq
import pytest

from train.dial.origin import find_origin
from train.record import read_record
from train.reporter import Silent
from workspace.errors import DataError, RecipeError, Stopped, UsageError
from workspace.events import read_events

LORA = {"kind": "lora", "r": 4, "dropout": 0.1}
FULL = {"kind": "full"}
WORSE = {"adapter": FULL, "learning_rate": 0.02, "steps": 12, "keep_checkpoints": 1}
"""Every step is worse on texts that nothing is learnt of: the first probe is the best."""


def write_suite(
    root: Path, name: str, purpose: str, texts: list[str], file: str | None = None
) -> None:
    """Write a suite of texts to predict, whose scores change with every step."""
    directory = root / "suites"
    directory.mkdir(exist_ok=True)
    rows = [{"id": str(number), "text": text} for number, text in enumerate(texts)]
    (directory / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    task = {"name": name, "data": f"{name}.jsonl", "kind": "perplexity", "text": "{{ text }}"}
    document = {"schema_version": 1, "name": name, "purpose": purpose, "margin": 0.05}
    path = directory / f"{file or name}.yaml"
    path.write_text(json.dumps({**document, "tasks": [task]}))


@pytest.fixture
def probed(bench: Any) -> Any:
    """A workspace with suites of what is learnt, and of what is not."""
    learnt = [" ".join(one["content"] for one in row["messages"]) for row in bench.chats(12)]
    write_suite(bench.root, "learnt", "target", learnt)
    other = [f"zebra {number} quartz {number * 7}?" for number in range(12)]
    write_suite(bench.root, "kept", "retention", other)
    write_suite(bench.root, "unlearnt", "target", other)
    return bench


def probe(*suites: str, **more: Any) -> dict[str, Any]:
    return {"probe": {"suites": list(suites), "every": 2, "items": 6, **more}}


def events_of(run: Path, kind: str) -> list[dict[str, Any]]:
    path = run.parent.parent / "jobs" / read_record(run)["job"] / "events.jsonl"
    return [one for one in read_events(path)[0] if one["kind"] == kind]


def scores_of(run: Path) -> dict[int, dict[str, float]]:
    return {one["step"]: one["scores"] for one in events_of(run, "probe")}


def weights(directory: Path) -> bytes:
    (file,) = directory.glob("*.safetensors")
    return file.read_bytes()


def kept_steps(run: Path) -> set[str]:
    return {path.name for path in (run / "checkpoints").iterdir()}


@pytest.mark.parametrize("adapter", [LORA, FULL], ids=["lora", "full"])
def test_a_probed_run_learns_the_same_bit_for_bit(
    probed: Any, losses: Callable[[Path], list[float]], adapter: dict[str, Any]
) -> None:
    """Without a target the last step that kept everything is published: the plain run's."""
    train = {"adapter": adapter, "checkpoint_every": 2, "neftune": 5.0}
    plain = probed.train(train)
    wanted, files = losses(plain), weights(plain / "model")
    shutil.move(plain, probed.root / "plain")
    run = probed.train({**train, "tempering": probe("kept", margin=1.0)})
    assert losses(run) == wanted
    assert read_record(run)["published"]["step"] == 6
    assert weights(run / "model") == files
    for name in ("optimizer.pt", "rng_state.pth"):
        ours = run / "checkpoints/step-4" / name
        assert ours.read_bytes() == (probed.root / "plain/checkpoints/step-4" / name).read_bytes()


@pytest.mark.parametrize(
    "adapter",
    [
        pytest.param({"kind": "lora", "r": 4, "init": "pissa"}, marks=pytest.mark.slow),
        pytest.param({**LORA, "trainable_tokens": ["card"]}, marks=pytest.mark.slow),
        FULL,
    ],
    ids=["pissa", "lora with token rows", "full"],
)
def test_scores_are_those_of_an_evaluation(probed: Any, adapter: dict[str, Any]) -> None:
    """Base and published model, asked by `temper eval` from the published files."""
    from evalsuite.engine.request import EvalRequest
    from evalsuite.engine.subjects import common_base, find_subject
    from evalsuite.recipe import EvalSection
    from evalsuite.run import run_evaluation
    from evalsuite.tasks import find_suite, load_suite

    class Quiet:
        def doing(self, what: str) -> None: ...
        def answered(self, model: str, task: str, done: int, total: int) -> None: ...

    tempering = probe("unlearnt", "kept", items=12)
    run = probed.train({**WORSE, "adapter": adapter, "tempering": tempering})
    published = read_record(run)["published"]
    assert published["step"] < 12  # not the weights that were in memory at the end
    subject = find_subject(run.name, probed.workspace)
    suites = [load_suite(find_suite(name, probed.workspace)) for name in ("unlearnt", "kept")]
    request = EvalRequest(
        "toy", common_base([subject]), (subject,), tuple(suites), EvalSection(noise_items=0)
    )
    found = run_evaluation(request, probed.workspace, Quiet())
    rows = pq.read_table(found.directory / "samples.parquet").to_pylist()
    for model, scores in (("base", published["base"]), ("toy", published["scores"])):
        for name, score in scores.items():
            own = [
                one["score"]
                for one in rows
                if one["model"] == model and one["task"] == name.split("/")[1]
            ]
            assert len(own) == 12
            assert score == pytest.approx(sum(own) / 12, abs=1e-5)


def test_the_best_step_is_published_and_the_run_ends_when_patience_does(
    probed: Any, losses: Callable[[Path], list[float]]
) -> None:
    """More checkpoints are made than are kept; the best is never removed; rehearsal is no probe."""
    train = {**WORSE, "rehearsal": "always", "tempering": probe("unlearnt", patience=3)}
    run = probed.train(train)
    found = scores_of(run)
    assert sorted(found) == [0, 2, 4, 6, 8]
    target = {step: scores["unlearnt/unlearnt"] for step, scores in found.items() if step}
    assert max(target, key=lambda step: target[step]) == 2
    published = read_record(run)["published"]
    assert (published["step"], published["steps_done"]) == (2, 8)
    assert published["ended_early"] == "3 probes without a better step"
    assert published["why"].startswith("highest target score")
    assert len(losses(run)) == 8
    assert kept_steps(run) == {"step-2", "step-6"}  # the best, and the newest
    assert weights(run / "model") == weights(run / "checkpoints/step-2")
    assert events_of(run, "model")[0]["steps"] == 2
    planned = json.loads((run / "plan.json").read_text())
    assert 0 < published["tokens_seen"] < planned["tokens_seen"]
    batches = pq.read_table(run / "batches.parquet", columns=["step", "tokens"]).to_pylist()
    assert published["tokens_seen"] == sum(one["tokens"] for one in batches if one["step"] <= 8)
    assert set(find_origin(run.name, probed.workspace).checkpoints) == {6}  # step 2 is the model


class StopAfter(Silent):
    """Asks the job to stop after a step, as a signal would."""

    def __init__(self, step: int) -> None:
        self.last = step - 1  # a step is told when it has ended: the next one is still done

    def step(self, report: Any) -> None:
        if report.step == self.last:
            signal.raise_signal(signal.SIGTERM)


@pytest.mark.parametrize(
    ("stopped", "lost"),
    [
        pytest.param(3, None, marks=pytest.mark.slow),
        (4, None),
        pytest.param(5, "step-5", marks=pytest.mark.slow),
    ],
    ids=["between probes", "at a probe", "to an older checkpoint"],
)
def test_a_stopped_run_chooses_as_an_uninterrupted_one(
    probed: Any, losses: Callable[[Path], list[float]], stopped: int, lost: str | None
) -> None:
    train = {**WORSE, "keep_checkpoints": 2, "tempering": probe("unlearnt", "kept", patience=3)}
    straight = probed.train(train)
    wanted, scores = losses(straight), scores_of(straight)
    published = read_record(straight)["published"]
    model = weights(straight / "model")
    shutil.rmtree(straight)
    with pytest.raises(Stopped):
        probed.train(train, reporter=StopAfter(stopped))
    (run,) = probed.workspace.runs.iterdir()
    if lost:
        shutil.rmtree(run / "checkpoints" / lost)
    probed.resume(run)
    assert losses(run) == wanted
    assert scores_of(run) == scores
    assert read_record(run)["published"] == published
    assert weights(run / "model") == model


@pytest.mark.slow
def test_kills_at_random_moments_change_no_choice(
    probed: Any, zygote: Any, losses: Callable[[Path], list[float]]
) -> None:
    """While probing, between a probe and its checkpoint, while one is written: four kill -9."""
    train = {**WORSE, "steps": 40, "tempering": probe("unlearnt", "kept")}
    straight = probed.train(train)
    wanted, scores, published = losses(straight), scores_of(straight), read_record(straight)
    model = weights(straight / "model")
    shutil.rmtree(probed.workspace.runs)
    shutil.rmtree(probed.workspace.jobs)
    pid, random, run = zygote.train(probed.root), Random(0), None
    for number in range(4):
        wait_for_probe(probed.root, 2 + 8 * number)
        time.sleep(random.uniform(0.0, 0.1))
        os.kill(pid, signal.SIGKILL)
        assert zygote.wait(pid) == -signal.SIGKILL
        (run,) = probed.workspace.runs.iterdir()
        pid = zygote.resume(run)
    assert zygote.wait(pid) == 0
    assert run is not None and losses(run) == wanted
    assert scores_of(run) == scores
    assert read_record(run)["published"] == published["published"]
    assert weights(run / "model") == model


def wait_for_probe(root: Path, step: int) -> None:
    """Wait until a step was probed."""
    until = time.monotonic() + 120
    while time.monotonic() < until:
        for path in root.glob("jobs/*/events.jsonl"):
            if any(e["kind"] == "probe" and e["step"] >= step for e in read_events(path)[0]):
                return
        time.sleep(0.01)
    raise AssertionError(f"step {step} was not probed")


def test_a_best_step_whose_checkpoint_is_gone_is_told_and_not_published(probed: Any) -> None:
    train = {**WORSE, "tempering": probe("unlearnt")}
    with pytest.raises(Stopped):
        probed.train(train, reporter=StopAfter(7))
    (run,) = probed.workspace.runs.iterdir()
    assert kept_steps(run) == {"step-2", "step-7"}
    shutil.rmtree(run / "checkpoints/step-2")
    probed.resume(run)
    (alarm,) = (one for one in events_of(run, "alarm") if one["alarm"] == "best step lost")
    assert "step 2 was the best" in alarm["what"]
    assert read_record(run)["published"]["step"] == 8
    assert weights(run / "model") == weights(run / "checkpoints/step-8")


def test_a_fall_beyond_the_margin_is_an_alarm(probed: Any) -> None:
    """No step keeps it here: the one that lost least is published, and that is said."""
    run = probed.train({**WORSE, "steps": 5, "tempering": probe("learnt", "kept", margin=1e-6)})
    found = scores_of(run)
    falls = {step: found[0]["kept/kept"] - one["kept/kept"] for step, one in found.items() if step}
    assert min(falls.values()) > 1e-6
    alarms = {one["alarm"]: one for one in events_of(run, "alarm")}
    assert alarms["forgetting"]["step"] == 2  # told when it falls, not at every probe
    assert len([one for one in events_of(run, "alarm") if one["alarm"] == "forgetting"]) == 1
    assert "kept/kept" in alarms["forgetting"]["what"]
    published = read_record(run)["published"]
    assert published["step"] == min(falls, key=lambda step: falls[step])
    assert "no step kept every ability" in alarms["no step kept enough"]["what"]


def test_probes_tell_the_same_items_of_base_and_tuned(probed: Any) -> None:
    run = probed.train({"steps": 2, "tempering": probe("learnt", "kept")})
    probes = events_of(run, "probe")
    assert probes[0]["step"] == 0
    purposes = {one["purpose"] for one in probes[0]["abilities"].values()}
    assert purposes == {"target", "retention"}
    asked = [[(one["ability"], one["item"]) for one in each["answers"]] for each in probes]
    assert asked[0] and all(one == asked[0] for one in asked)
    for each in probes:
        for name in each["scores"]:
            told = [one for one in each["answers"] if one["ability"] == name]
            assert len(told) == 2 and all(isinstance(one["score"], float) for one in told)


def test_answers_of_the_base_are_kept(probed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from evalsuite.engine import run as asking

    counts: list[int] = []
    answered = asking._answered
    monkeypatch.setattr(
        asking, "_answered", lambda engine, few: counts.append(len(few)) or answered(engine, few)
    )
    train = {"steps": 1, "tempering": probe("learnt", "kept")}
    probed.train(train)
    assert sum(counts) == 24  # 12 of the base, 12 after the last step
    counts.clear()
    probed.train(train)
    assert sum(counts) == 12


def test_everything_that_can_be_known_is_refused_by_the_plan(probed: Any) -> None:
    with pytest.raises(UsageError, match="no suite called 'kepd'"):
        probed.prepare({"tempering": probe("kepd")})
    write_suite(probed.root, "kept", "target", ["a text"], file="other")
    with pytest.raises(UsageError, match="two suites are called 'kept'"):
        probed.prepare({"tempering": probe("kept", "other")})
    (probed.root / "suites/empty.jsonl").write_text("")
    write_suite(probed.root, "empty", "target", [])
    with pytest.raises(DataError):
        probed.prepare({"tempering": probe("empty")})
    for wrong in (
        {"tempering": probe()},
        {"tempering": probe("kept", "kept")},
        {"tempering": probe("kept", items=0)},
        {"tempering": probe("kept", every=0)},
        {"tempering": probe("kept", patience=0)},
        {"tempering": probe("kept", margin=0)},
        {"tempering": probe("kept", patient=2)},
        {"tempering": probe("kept"), "method": "reward"},
        {"tempering": probe("kept"), "adapter": {"kind": "peft", "tuner": "ADALORA"}},
    ):
        with pytest.raises(RecipeError):
            probed.recipe(wrong)


def test_an_item_longer_than_the_model_reads_is_refused_by_the_plan(probed: Any) -> None:
    path = probed.root / "suites"
    (path / "long.jsonl").write_text(json.dumps({"id": "0", "prompt": "card " * 200}) + "\n")
    task = {"name": "long", "kind": "generation", "data": "long.jsonl", "prompt": "{{ prompt }}"}
    task |= {"gold": "card", "scorer": {"kind": "exact"}}
    head = {"schema_version": 1, "name": "long", "purpose": "target"}
    (path / "long.yaml").write_text(json.dumps({**head, "tasks": [task]}))
    with pytest.raises(DataError, match="longer than the model reads"):
        probed.prepare({"tempering": probe("long")})


def test_the_plan_says_how_often_it_is_asked(probed: Any) -> None:
    plan = probed.prepare({"steps": 5, "tempering": probe("kept")}).plan
    assert plan["probe_every"] == 2
    assert "3 times" in plan.settings["probe_every"].reason
    left = probed.prepare({"steps": 30, "tempering": {"probe": {"suites": ["kept"]}}}).plan
    assert left["probe_every"] == left["checkpoint_every"] == 10
    late = probed.prepare({"steps": 5, "tempering": probe("kept", every=5)}).plan
    assert any("no earlier one to choose" in one for one in late.warnings)


def test_another_suite_under_the_same_name_stops_a_resumption(probed: Any) -> None:
    train = {**WORSE, "tempering": probe("unlearnt")}
    with pytest.raises(Stopped):
        probed.train(train, reporter=StopAfter(3))
    (run,) = probed.workspace.runs.iterdir()
    write_suite(probed.root, "unlearnt", "target", ["other", "texts"])
    with pytest.raises(UsageError) as refused:
        probed.resume(run)
    assert "probe.unlearnt" in refused.value.cause
    probed.resume(run, accept=["probe.unlearnt"])
    published = read_record(run)["published"]
    assert published["step"] in {4, 6, 8, 10, 12}  # step 2 was scored on other texts


@pytest.mark.slow
def test_learning_by_reward_is_probed_where_completions_are_new(
    probed: Any, losses: Callable[[Path], list[float]]
) -> None:
    """The last step too, though it is no place for a checkpoint; and the trajectory is the same."""
    rows = [
        {**row, "id": f"ask-{place}", "prompt": row.pop("messages")[:1], "answer": "card"}
        for place, row in enumerate(probed.chats(24))
    ]
    probed.dataset("toy", rows)
    reward = {"kind": "format", "pattern": ".*a.*"}
    method = {"kind": "grpo", "rewards": [reward], "num_generations": 4, "max_new_tokens": 8}
    train = {"method": {**method, "iterations": 2}, "adapter": FULL, "batch_size": 4, "steps": 5}
    plain = probed.train(train)
    wanted = losses(plain)
    shutil.rmtree(plain)
    run = probed.train({**train, "tempering": probe("kept", every=1, margin=1.0)})
    assert losses(run) == wanted
    assert sorted(scores_of(run)) == [0, 2, 4, 5]
    assert kept_steps(run) == {"step-2", "step-4"}
    assert read_record(run)["published"]["step"] == 5


def test_the_example_of_the_docs_is_a_recipe(probed: Any) -> None:
    from ruamel.yaml import YAML

    from train.recipe import TrainSection

    text = (Path(__file__).parents[2] / "docs/train-tempering.md").read_text()
    example = text.split("## probe")[1].split("```yaml\n")[1].split("```")[0]
    section = TrainSection.model_validate(YAML(typ="safe").load(example)["train"])
    found = section.tempering.probe
    assert found is not None and found.suites == ["builtin:triage", "builtin:retention"]
    assert (found.every, found.items, found.patience, found.margin) == (20, 64, 5, None)
    tempering = section.tempering.model_dump(mode="json")
    (probed.root / "datasets/general").rename(probed.root / "datasets/rows")
    probed.model = builtin_model()
    tempering["replay"]["dataset"] = "rows"
    plan = probed.prepare({"tempering": tempering, "steps": 60}).plan
    assert plan["probe_every"] == 20


def builtin_model() -> Path:
    from evalsuite.builtin import model_path

    return model_path()
