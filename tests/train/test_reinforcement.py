"""Learning by reward: what trl is given, loss, samples, and whether it is learnt."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from train.reporter import Silent
from workspace.errors import LimitExceeded, Stopped, TemperError
from workspace.jobs import run_job

from .asking import GRPO, HAS_AN_A, METHOD, ask, method

GOLDEN = Path(__file__).with_name("golden_losses.json")


@pytest.fixture
def asks(bench: Any) -> Any:
    """The bench with questions whose answers can be verified."""
    bench.dataset("toy", [ask(number) for number in range(24)])
    return bench


def events(bench: Any) -> list[dict[str, Any]]:
    (file,) = bench.workspace.jobs.glob("*/events.jsonl")
    return [json.loads(line) for line in file.read_text().splitlines()]


def metrics(bench: Any) -> list[dict[str, Any]]:
    return [event for event in events(bench) if event["kind"] == "metrics"]


# --- what trl is given ----------------------------------------------------------------------------


def build(bench: Any, train: dict[str, Any]) -> Any:
    """Return trl's trainer for a recipe, not yet run."""
    from transformers import AutoTokenizer

    from evalsuite.models.load import load_model
    from train.checkpoints import CheckpointStore
    from train.run import _quiet_libraries
    from train.trl_bridge import FitRequest, build_trainer

    prepared = bench.prepare(train)
    with run_job(bench.workspace, "train", ["test"]) as job, _quiet_libraries():
        store = CheckpointStore(bench.root / "checkpoints", keep=1)
        request = FitRequest(prepared, store, job, 0, "cpu", "float32", lambda report: None)
        tokenizer = AutoTokenizer.from_pretrained(bench.model)
        trainer = build_trainer(load_model(bench.model), tokenizer, request)
    trainer.current_gradient_accumulation_steps = 1
    return trainer


def test_other_prompts_than_the_planned_ones_stop_the_run(asks: Any) -> None:
    trainer = build(asks, GRPO)
    batch = next(iter(trainer.get_train_dataloader()))
    planned = trainer.request.prepared.schedule.batch(0)
    assert [one["row"] for one in batch] == np.repeat(planned, 4).tolist()
    batch[3] = {"row": int(planned[1])}
    with pytest.raises(LimitExceeded, match="prompts are not the planned ones"):
        trainer.training_step(trainer.model, batch, None)


def test_other_token_ids_than_the_planned_ones_stop_the_run(asks: Any) -> None:
    from train.run import _quiet_libraries

    trainer = build(asks, GRPO)
    batch = next(iter(trainer.get_train_dataloader()))
    template = trainer.processing_class.chat_template
    trainer.processing_class.chat_template = template.replace("user", "User") + " "
    wanted = "tokenises a prompt in another way"
    with _quiet_libraries(), pytest.raises(LimitExceeded, match=wanted) as caught:
        trainer.training_step(trainer.model, batch, None)
    assert "asks.jsonl:" in caught.value.where


def test_generation_stops_at_the_templates_tokens(asks: Any) -> None:
    trainer = build(asks, GRPO)
    assert trainer.eos_token_ids == [2] == trainer.generation_config.eos_token_id


def logs_of(model: Any, prompt: list[int], answer: list[int]) -> Any:
    """Return the log-probability of each token of an answer; shape (tokens,)."""
    import torch

    ids = torch.tensor([prompt + answer])
    with torch.no_grad():
        logs = model(input_ids=ids).logits[0, :-1].log_softmax(-1)
    picked = logs[torch.arange(len(logs)), ids[0, 1:]]
    return picked[len(prompt) - 1 :].numpy()


@pytest.mark.parametrize("kind", ["grpo", "dr_grpo", "rloo"])
def test_the_loss_is_that_of_the_paper(asks: Any, kind: str) -> None:
    """Advantages, clipped ratios and the distance from the base, by hand."""
    import torch

    from evalsuite.models.load import load_model
    from train.run import _quiet_libraries

    changes: dict[str, Any] = {"beta": 0.3, "epsilon": 0.1, "epsilon_high": 0.15, "iterations": 2}
    changes |= {"kind": "rloo"} if kind == "rloo" else {"loss": kind}
    trainer = build(asks, {**method(**changes), "steps": 4})
    base, model = load_model(asks.model), trainer.model
    torch.manual_seed(3)
    with torch.no_grad(), _quiet_libraries():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
        old = {name: value.clone() for name, value in model.state_dict().items()}
        batch = next(iter(trainer.get_train_dataloader()))
        output = trainer._generate_and_score_completions(batch)
        for parameter in model.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
        found = float(trainer.compute_loss(model, output))
    before = load_model(asks.model)
    before.load_state_dict(old)
    rows = trainer.request.prepared.rows
    rewards, terms, clipped = [], [], 0
    answers = [
        ids[mask.bool()].tolist()
        for ids, mask in zip(output["completion_ids"], output["completion_mask"], strict=True)
    ]
    prompts = [rows[one["row"]].input_ids.tolist() for one in batch]
    logs = [
        tuple(logs_of(one, prompt, answer) for one in (model, before, base))
        for prompt, answer in zip(prompts, answers, strict=True)
    ]
    tokenizer = trainer.processing_class
    for answer, (_, was, reference) in zip(answers, logs, strict=True):
        reward = float("a" in tokenizer.decode(answer, skip_special_tokens=True))
        if kind == "rloo":
            reward -= 0.3 * float((was - reference).sum())
        rewards.append(reward)
    groups = np.array(rewards).reshape(-1, 4)
    if kind == "rloo":
        advantages = groups - (groups.sum(1, keepdims=True) - groups) / 3
    else:
        spread = groups.std(1, ddof=1, keepdims=True) + 1e-4
        advantages = (groups - groups.mean(1, keepdims=True)) / spread
    assert output["advantages"].numpy() == pytest.approx(advantages.ravel(), abs=1e-3)
    assert np.count_nonzero(advantages) > 0
    for (now, was, reference), advantage in zip(logs, advantages.ravel(), strict=True):
        ratio = np.exp((now - was).sum() if kind == "rloo" else now - was)
        bounded = np.clip(ratio, 0.9, 1.15)
        clipped += int(np.sum(ratio != bounded))
        term = -np.minimum(ratio * advantage, bounded * advantage)
        if kind != "rloo":
            gap = reference - now
            term = term + 0.3 * (np.exp(gap) - gap - 1) * ratio
        terms.append(term)
    assert clipped
    wanted = {
        "grpo": lambda: np.mean([np.mean(term) for term in terms]),
        "dr_grpo": lambda: np.sum(np.concatenate(terms)) / (16 * 8),
        "rloo": lambda: np.mean(terms),
    }[kind]()
    assert found == pytest.approx(wanted, abs=2e-5)


@pytest.mark.parametrize("loss", ["bnpo", "cispo", "sapo", "luspo", "vespo"])
def test_every_loss_of_trl_is_at_hand(asks: Any, loss: str) -> None:
    import torch

    from train.run import _quiet_libraries

    high = {"epsilon_high": 5.0} if loss == "cispo" else {}
    trainer = build(asks, method(loss=loss, **high))
    with _quiet_libraries():
        batch = next(iter(trainer.get_train_dataloader()))
        value = trainer.training_step(trainer.model, batch, None)
    assert torch.isfinite(value)
    assert trainer.args.importance_sampling_level == ("sequence" if loss == "luspo" else "token")
    total = sum(float(p.grad.abs().sum()) for p in trainer.model.parameters() if p.grad is not None)
    assert total > 0


def test_a_reward_that_fails_while_training_names_its_row(asks: Any) -> None:
    from train.run import _quiet_libraries

    trainer = build(asks, GRPO)

    def fail(completions: Any) -> Any:
        if any(one.row_id == "ask-7" for one in completions):
            raise ZeroDivisionError("seven")
        return [0.0] * len(completions)

    trainer.reward_funcs[0].reward = fail
    fail.name = "odd"  # type: ignore[attr-defined]
    batch = [{"row": row} for row in (6, 7) for _ in range(4)]
    with _quiet_libraries(), pytest.raises(TemperError, match="odd fails") as caught:
        trainer._generate_and_score_completions(batch)
    assert caught.value.where == "row ask-7" and "seven" in caught.value.cause


# --- runs -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "train"),
    [
        ("grpo full", GRPO),
        (
            "grpo lora",
            {
                **method(rewards=[HAS_AN_A, {"kind": "length", "beyond": 4, "weight": 0.5}]),
                "adapter": {"kind": "lora", "r": 4},
                "micro_batch_size": 2,
            },
        ),
        ("rloo full", method(kind="rloo", iterations=2)),
    ],
)
def test_the_reward_trajectory_is_the_golden_one(asks: Any, name: str, train: Any) -> None:
    asks.train(train)
    found = [[event["values"].get("reward"), event["grad_norm"]] for event in metrics(asks)]
    wanted = json.loads(GOLDEN.read_text())[name]
    assert [step[0] for step in found] == [step[0] for step in wanted]
    lengths = [step[1] for step in wanted]
    assert [step[1] for step in found] == pytest.approx(lengths, rel=1e-3, abs=1e-5)


@pytest.mark.slow
def test_what_is_rewarded_is_learnt(asks: Any) -> None:
    run = asks.train({**method(num_generations=8), "steps": 24, "learning_rate": 0.01})
    steps = metrics(asks)
    assert len(steps) == 24
    rewards = [event["values"]["reward"] for event in steps]
    assert np.mean(rewards[:3]) < 0.5 and np.mean(rewards[-3:]) > 0.9
    values = steps[-1]["values"]
    assert values["rewards/format/mean"] == values["reward"]
    assert values["kl"] > steps[0]["values"]["kl"] == pytest.approx(0, abs=1e-6)
    assert {"frac_reward_zero_std", "clip_ratio/region_mean", "completions/mean_length"} <= {
        *values
    }
    proof = json.loads((run / "proof.json").read_text())
    assert proof["passed"] and proof["rewards"]["rows_tried"] == 24


def test_micro_batches_change_nothing(asks: Any) -> None:
    found = []
    for size in (4, 1):
        asks.train({**GRPO, "micro_batch_size": size, "steps": 1})
        file = max(asks.workspace.jobs.glob("*/events.jsonl"), key=lambda one: one.stat().st_mtime)
        (event,) = [
            event
            for event in map(json.loads, file.read_text().splitlines())
            if event["kind"] == "metrics"
        ]
        found.append((event["values"]["reward"], event["grad_norm"]))
    assert found[1] == pytest.approx(found[0], rel=1e-4)


def test_batches_and_samples_are_recorded(asks: Any) -> None:
    run = asks.train({**method(samples_every=2), "steps": 4})
    batches = pq.read_table(run / "batches.parquet").to_pylist()
    assert [row["step"] for row in batches] == [step for step in (1, 2, 3, 4) for _ in range(4)]
    samples = pq.read_table(run / "samples.parquet").to_pylist()
    assert {row["step"] for row in samples} == {1, 3} and len(samples) == 16
    first = samples[0]
    assert first["row_id"] == batches[0]["row_id"]
    assert first["prompt"].endswith("<|im_start|>assistant\n")
    for row in samples:
        assert row["reward"] == row["rewards"]["format"] == float("a" in row["completion"])
        assert 1 <= row["tokens"] <= 8 and (row["ended"] or row["tokens"] == 8)


def test_a_run_without_signal_raises_the_alarm_once(asks: Any) -> None:
    train = {**method(rewards=["exact"]), "steps": 13}
    asks.train(train)
    alarms = [event for event in events(asks) if event["kind"] == "alarm"]
    assert [(event["alarm"], event["step"]) for event in alarms] == [("no signal", 10)]
    assert "100% of the groups of the last 10 steps" in alarms[0]["what"]


class Told(Silent):
    """Keeps what is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def test_an_alarm_stops_the_run_if_asked(asks: Any) -> None:
    told = Told()
    train = {**method(rewards=["exact"], alarms={"window": 3, "stop": True}), "steps": 13}
    with pytest.raises(LimitExceeded, match="an alarm stopped the run: no signal") as caught:
        asks.train(train, reporter=told)
    assert caught.value.where == "step 3" and caught.value.exit_code == 6
    assert any(text.startswith("! step 3: 100% of the groups") for text in told.notes)


def test_a_gold_answer_without_credit_stops_before_torch(asks: Any) -> None:
    train = method(rewards=[{"scorer": "numeric"}])
    with pytest.raises(LimitExceeded, match="the reward proof failed"):
        asks.train(train)
    (run,) = asks.workspace.runs.iterdir()
    assert not json.loads((run / "proof.json").read_text())["passed"]
    assert not (run / "env.json").exists()


def test_chats_are_converted_and_it_is_said(bench: Any) -> None:
    told = Told()
    bench.train({**method(rewards=["exact"]), "steps": 1}, reporter=told)
    assert any("37 train rows of messages: the assistant's last turn" in one for one in told.notes)


# --- stopped and continued ------------------------------------------------------------------------


class StopAfter(Silent):
    """Asks the job to stop after a step, as a signal would."""

    def __init__(self, step: int) -> None:
        self.at = step

    def step(self, report: Any) -> None:
        if report.step == self.at:
            signal.raise_signal(signal.SIGTERM)


@pytest.mark.parametrize(
    ("adapter", "changes", "at"),
    [
        ({"kind": "lora", "r": 4, "dropout": 0.1}, {}, 3),
        pytest.param({"kind": "full"}, {"micro_batch_size": 2}, 3, marks=pytest.mark.slow),
        ({"kind": "full"}, {"method": {**METHOD, "iterations": 2}}, 3),
        pytest.param(
            {"kind": "full"}, {"method": {**METHOD, "kind": "rloo"}}, 3, marks=pytest.mark.slow
        ),
    ],
)
def test_a_stopped_run_continues_bit_for_bit(
    asks: Any, adapter: dict[str, Any], changes: dict[str, Any], at: int
) -> None:
    train = {**GRPO, "adapter": adapter, "steps": 6, "checkpoint_every": 2, **changes}
    straight = asks.train(train)
    wanted = trajectory(straight)
    shutil.move(straight, asks.root / "straight")
    with pytest.raises(Stopped):
        asks.train(train, reporter=StopAfter(at))
    (run,) = asks.workspace.runs.iterdir()
    assert asks.resume(run) == run and trajectory(run) == wanted
    name = "adapter_model.safetensors" if adapter["kind"] == "lora" else "model.safetensors"
    was = (asks.root / "straight/model" / name).read_bytes()
    assert (run / "model" / name).read_bytes() == was
    samples = [pq.read_table(one / "samples.parquet") for one in (asks.root / "straight", run)]
    assert samples[0].equals(samples[1])


def trajectory(run: Path) -> list[Any]:
    from train.record import read_record
    from workspace.events import last_attempts, read_events

    job = run.parent.parent / "jobs" / read_record(run)["job"]
    found, _ = read_events(job / "events.jsonl")
    return [(event["loss"], event["grad_norm"], event["values"]) for event in last_attempts(found)]


@pytest.mark.slow
def test_a_killed_run_continues_bit_for_bit(asks: Any, zygote: Any) -> None:
    import os
    import time

    train = {**GRPO, "steps": 18, "checkpoint_every": 3}
    straight = asks.train(train)
    wanted = trajectory(straight)
    model = (straight / "model/model.safetensors").read_bytes()
    shutil.rmtree(straight)
    pid = zygote.train(asks.root)
    deadline = time.monotonic() + 120
    while not list(asks.root.glob("runs/*/checkpoints/step-*/manifest.json")):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(pid, signal.SIGKILL)
    assert zygote.wait(pid) == -signal.SIGKILL
    (run,) = asks.workspace.runs.iterdir()
    assert not (run / "model").exists()
    assert zygote.wait(zygote.resume(run)) == 0
    assert trajectory(run) == wanted
    assert (run / "model/model.safetensors").read_bytes() == model
