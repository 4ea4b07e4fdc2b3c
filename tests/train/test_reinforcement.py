"""Learning by reward: prompts, batches, loss, samples, and whether it is learnt."""

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
from workspace.errors import DataError, LimitExceeded, Stopped, TemperError
from workspace.jobs import run_job

GOLDEN = Path(__file__).with_name("golden_losses.json")
WORDS = ["card", "late", "happy", "angry", "password", "plan"]
HAS_AN_A = {"kind": "format", "pattern": ".*a.*"}
"""A random model meets it by chance, a trained one always."""
METHOD = {
    "kind": "grpo",
    "rewards": [HAS_AN_A],
    "num_generations": 4,
    "max_new_tokens": 8,
}
GRPO = {
    "method": METHOD,
    "adapter": {"kind": "full"},
    "batch_size": 4,
    "steps": 4,
}


def ask(number: int, **changes: Any) -> dict[str, Any]:
    """A prompt of two words; the first is the answer."""
    first, second = WORDS[number % 6], WORDS[(number // 6 + number + 1) % 6]
    return {
        "id": f"ask-{number}",
        "prompt": [{"role": "user", "content": f"{first} {second}"}],
        "answer": first,
        "meta": {"source": "asks.jsonl", "row": number},
        **changes,
    }


@pytest.fixture
def asks(bench: Any) -> Any:
    """The bench with questions whose answers can be verified."""
    bench.dataset("toy", [ask(number) for number in range(24)])
    return bench


def method(**changes: Any) -> dict[str, Any]:
    return {**GRPO, "method": {**METHOD, **changes}}


def events(bench: Any) -> list[dict[str, Any]]:
    (file,) = bench.workspace.jobs.glob("*/events.jsonl")
    return [json.loads(line) for line in file.read_text().splitlines()]


def metrics(bench: Any) -> list[dict[str, Any]]:
    return [event for event in events(bench) if event["kind"] == "metrics"]


# --- prompts --------------------------------------------------------------------------------------


def test_a_row_is_its_prompt_up_to_where_the_assistant_writes(asks: Any) -> None:
    from evalsuite.models import ChatTokenizer

    prepared = asks.prepare(GRPO)
    tokenizer = ChatTokenizer.from_dir(asks.model)
    row = prepared.rows[0]
    head = "<|im_start|>user\ncard late<|im_end|>\n<|im_start|>assistant\n"
    assert tokenizer.decode(row.input_ids.tolist(), special=True) == head
    assert row.trained == 0
    account = prepared.ledger.total("train")
    assert account.balances() and account.rows_kept == 24 and account.tokens_trained == 0


@pytest.mark.parametrize("kind", ["messages", "prompt_completion", "plain"])
def test_a_final_assistant_turn_is_the_answer(bench: Any, kind: str) -> None:
    from train.methods.reinforcement import question

    chat = [{"role": "user", "content": "card late"}, {"role": "assistant", "content": "card"}]
    row: dict[str, Any] = {
        "messages": {"messages": chat},
        "prompt_completion": {"prompt": chat[:1], "completion": chat[1:]},
        "plain": {"prompt": "card late", "completion": "card"},
    }[kind]
    bench.dataset("toy", [{"id": "one", **row, "meta": {"source": "x.jsonl", "row": 0}}])
    prepared = bench.prepare(GRPO)
    asked = question(prepared.rows[0].row)
    assert asked.answer == "card"  # type: ignore[union-attr]
    assert asked.prompt == ("card late" if kind == "plain" else chat[:1])  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        (
            [
                {"role": "user", "content": "a"},
                {"role": "assistant", "content": "b"},
                {"role": "user", "content": "c"},
            ],
            "last_turn_is_no_answer",
        ),
        ([{"role": "assistant", "content": "b"}], "no_prompt"),
        (
            [{"role": "user", "content": "a"}, {"role": "assistant", "content": " "}],
            "empty_answer",
        ),
    ],
)
def test_a_row_without_question_and_answer_is_dropped_with_its_reason(
    bench: Any, messages: list[dict[str, str]], reason: str
) -> None:
    odd = {"id": "odd", "messages": messages, "meta": {"source": "x", "row": 1}}
    bench.dataset("toy", [*bench.chats(30), odd])
    ledger = bench.prepare(GRPO).ledger
    assert dict(ledger.total("train").rows_dropped) == {reason: 1}
    assert [row["row_id"] for row in ledger.losses] == ["odd"]


def test_preferences_and_null_answers_are_refused(bench: Any) -> None:
    bench.dataset("toy", [ask(1), ask(2, answer=None)])
    with pytest.raises(DataError, match="1 of 2 rows are without content") as caught:
        bench.prepare(GRPO)
    assert "asks.jsonl:2" in caught.value.cause
    both = {name: [{"role": "assistant", "content": name}] for name in ("chosen", "rejected")}
    bench.dataset("toy", [{"id": "p", "prompt": ask(1)["prompt"], **both}])
    with pytest.raises(DataError, match="`method: grpo` cannot learn from preference rows"):
        bench.prepare(GRPO)


# --- the plan -------------------------------------------------------------------------------------


def test_the_plan_states_prompts_times_generations(asks: Any) -> None:
    from train.terminal import arithmetic

    prepared = asks.prepare({**GRPO, "micro_batch_size": 2})
    plan = prepared.plan
    assert plan["completions"] == 16
    assert plan.settings["completions"].reason == (
        "a step: 4 prompts × 4 generations of at most 8 tokens"
    )
    lines = "\n".join(arithmetic(prepared))
    assert "4 steps × 4 prompts (2 at once × 2) = 16 prompts" in lines
    assert "4 prompts × 4 generations = 16 completions a step" in lines


def test_epochs_come_to_whole_batches(asks: Any) -> None:
    prepared = asks.prepare({**GRPO, "steps": None, "epochs": 1.1, "batch_size": 5})
    assert prepared.plan.steps == 5 and len(prepared.schedule.order) == 25


def test_iterations_repeat_each_batch_and_checkpoints_lie_between_them(asks: Any) -> None:
    prepared = asks.prepare({**method(iterations=3), "steps": 7, "checkpoint_every": 4})
    batches = [prepared.schedule.batch(step).tolist() for step in range(7)]
    assert batches[0] == batches[1] == batches[2] != batches[3] == batches[5] != batches[6]
    assert prepared.plan["checkpoint_every"] == 6


def test_a_completion_must_leave_room_for_the_prompt(asks: Any) -> None:
    with pytest.raises(LimitExceeded, match="no room for a prompt") as caught:
        asks.prepare(method(max_new_tokens=125))
    assert "128 tokens together" in caught.value.cause
    prepared = asks.prepare({**method(max_new_tokens=116), "limits": {"dropped": 1.0}})
    assert max(row.tokens for row in prepared.rows) <= 12


def test_no_pull_to_the_base_is_warned_of(asks: Any) -> None:
    assert not any("beta" in text for text in asks.prepare(GRPO).plan.warnings)
    assert any("beta is 0" in text for text in asks.prepare(method(beta=0)).plan.warnings)


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
