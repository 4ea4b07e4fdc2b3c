"""Preferences: rows, batches, loss, and whether they are learnt."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from train.recipe import TrainSection
from train.reporter import Silent
from workspace.errors import DataError, Stopped
from workspace.jobs import run_job

GOLDEN = Path(__file__).with_name("golden_losses.json")
WORDS = ["card", "refund", "order", "late", "broken", "happy", "angry", "login", "password", "plan"]
DPO = {
    "method": "dpo",
    "adapter": {"kind": "lora", "r": 4},
    "batch_size": 8,
    "steps": 4,
}


def pair(number: int, **changes: Any) -> dict[str, Any]:
    """A prompt of three words; the better answer is an angry one."""
    words = [WORDS[number % 10], WORDS[number // 10 % 10], WORDS[(number * 7 + 3) % 10]]
    return {
        "id": f"pair-{number}",
        "prompt": [{"role": "user", "content": " ".join(words)}],
        "chosen": [{"role": "assistant", "content": f"angry {words[0]}"}],
        "rejected": [{"role": "assistant", "content": f"happy {words[0]}"}],
        "meta": {"source": "pairs.jsonl", "row": number},
        **changes,
    }


@pytest.fixture
def pairs(bench: Any) -> Any:
    """The bench with preferences to learn."""
    bench.dataset("toy", [pair(number) for number in range(24)])
    return bench


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
        return build_trainer(load_model(bench.model), tokenizer, request)


def test_a_pair_is_its_prompt_with_either_answer_up_to_the_end_token(pairs: Any) -> None:
    from evalsuite.models import ChatTokenizer

    prepared = pairs.prepare(DPO)
    tokenizer = ChatTokenizer.from_dir(pairs.model)
    row = prepared.rows[0]
    texts = [tokenizer.decode(one.input_ids.tolist(), special=True) for one in row.sequences]
    head = "<|im_start|>user\ncard card late<|im_end|>\n<|im_start|>assistant\n"
    assert texts == [head + "angry card<|im_end|>", head + "happy card<|im_end|>"]
    learnt = [tokenizer.decode(one.input_ids[one.loss_mask].tolist()) for one in row.sequences]
    assert learnt == ["angry card", "happy card"]
    account = prepared.ledger.total("train")
    assert account.balances() and account.rows_kept == 24


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"rejected": [{"role": "assistant", "content": "angry card"}]}, "chosen_equals_rejected"),
        (
            {
                "chosen": [
                    {"role": "assistant", "content": "card"},
                    {"role": "user", "content": "sure?"},
                    {"role": "assistant", "content": "plan"},
                ]
            },
            "answer_in_several_turns",
        ),
    ],
)
def test_a_pair_that_cannot_be_compared_is_dropped_with_its_reason(
    bench: Any, changes: dict[str, Any], reason: str
) -> None:
    bench.dataset("toy", [*(pair(number) for number in range(1, 30)), pair(0, **changes)])
    ledger = bench.prepare(DPO).ledger
    assert dict(ledger.total("train").rows_dropped) == {reason: 1}
    assert [row["row_id"] for row in ledger.losses] == ["pair-0"]


def test_a_null_answer_is_named(bench: Any) -> None:
    broken = pair(3, rejected=[{"role": "assistant", "content": None}])
    bench.dataset("toy", [pair(1), broken])
    with pytest.raises(DataError, match="1 of 2 rows are without content") as caught:
        bench.prepare(DPO)
    assert "pairs.jsonl:3" in caught.value.cause


def test_chats_are_refused_by_dpo(bench: Any) -> None:
    with pytest.raises(DataError, match="`method: dpo` cannot learn from rows of messages"):
        bench.prepare(DPO)


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ({"kind": "dpo", "loss": "exo_pair"}, "label_smoothing above 0"),
        ({"kind": "dpo", "loss": ["ipo", "sft"], "loss_weights": [1.0]}, "one of loss_weights"),
        ({"kind": "dpo", "loss": "aot", "divergence": "forward_kl"}, "divergence reverse_kl"),
        ({"kind": "dpo", "loss": "aot", "weighting": True}, "no weighting with aot"),
        ({"kind": "dpo", "loss": "sigmod"}, "sigmoid"),
        ({"kind": "dpo", "beta": 0}, "greater than 0"),
        ("dpoo", "dpo"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(method: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TrainSection.model_validate({"method": method})


@pytest.mark.parametrize("adapter", ["lora", "full"])
def test_the_loss_is_that_of_the_paper(pairs: Any, adapter: str) -> None:
    """-log sigmoid(beta (log ratio of the chosen - log ratio of the rejected)), by hand."""
    import torch

    from evalsuite.models.load import load_model
    from train.run import _quiet_libraries

    trainer = build(pairs, {**DPO, "adapter": {"kind": adapter}, "micro_batch_size": 8})
    model, prepared = trainer.model, trainer.request.prepared
    batch = next(iter(trainer.get_train_dataloader()))
    base = load_model(pairs.model)
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.05 * torch.randn_like(parameter))

    def likelihood(of: Any, one: Any) -> float:
        ids = torch.tensor(one.input_ids[None].astype("int64"))
        with torch.no_grad():
            logs = of(input_ids=ids).logits[0, :-1].log_softmax(-1)
        chosen = logs[torch.arange(len(logs)), ids[0, 1:]]
        return float(chosen[torch.tensor(one.loss_mask[1:])].sum())

    losses = []
    for index in prepared.schedule.batch(0):
        ratios = [
            likelihood(model, one) - likelihood(base, one) for one in prepared.rows[index].sequences
        ]
        losses.append(np.logaddexp(0.0, -0.1 * (ratios[0] - ratios[1])))
    assert np.std(losses) > 0.005  # the weights are not the base's any more
    trainer.current_gradient_accumulation_steps = 1
    with _quiet_libraries():
        found = float(trainer.training_step(model, batch))
    assert found == pytest.approx(np.mean(losses), abs=1e-5)


def test_a_batch_that_is_not_the_planned_one_stops_the_run(pairs: Any) -> None:
    from workspace.errors import LimitExceeded

    trainer = build(pairs, DPO)
    batch = next(iter(trainer.get_train_dataloader()))
    batch["completion_mask"][0, 0] = 1
    with pytest.raises(LimitExceeded, match="not the planned one"):
        trainer.training_step(trainer.model, batch)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("dpo lora", {}),
        ("dpo full", {"adapter": {"kind": "full"}, "micro_batch_size": 4}),
        ("dpo ipo", {"method": {"kind": "dpo", "loss": ["ipo", "sft"], "beta": 0.2}}),
    ],
)
def test_the_loss_trajectory_is_the_golden_one(
    pairs: Any, losses: Callable[[Path], list[float]], name: str, changes: dict[str, Any]
) -> None:
    found = losses(pairs.train({**DPO, **changes}))
    assert found == pytest.approx(json.loads(GOLDEN.read_text())[name], abs=1e-5)


def test_preferences_are_learnt_for_prompts_that_were_not_trained_on(pairs: Any) -> None:
    """Angry answers were always chosen; the base prefers the others."""
    import torch

    from evalsuite.models.load import load_adapter, load_model

    run = pairs.train({**DPO, "steps": 40, "learning_rate": 5e-3})
    fresh = [pair(number) for number in range(100, 120)]
    pairs.dataset("toy", fresh)
    rows = pairs.prepare(DPO).rows

    def share(model: Any) -> float:
        right = 0
        for row in rows:
            sums = []
            for one in row.sequences:
                ids = torch.tensor(one.input_ids[None].astype("int64"))
                with torch.no_grad():
                    logs = model(input_ids=ids).logits[0, :-1].log_softmax(-1)
                picked = logs[torch.arange(len(logs)), ids[0, 1:]]
                sums.append(float(picked[torch.tensor(one.loss_mask[1:])].sum()))
            right += sums[0] > sums[1]
        return right / len(rows)

    base = load_model(pairs.model)
    before = share(base)
    after = share(load_adapter(base, run / "model"))
    assert before <= 0.2 and after == 1.0
    events = [
        json.loads(line)
        for line in next(pairs.workspace.jobs.glob("*/events.jsonl")).read_text().splitlines()
    ]
    steps = [event for event in events if event["kind"] == "metrics"]
    assert steps[-1]["values"]["rewards/accuracies"] == 1.0
    assert steps[0]["values"]["rewards/margins"] == pytest.approx(0.0, abs=1e-6)


class StopAfter(Silent):
    """Asks the job to stop after a step, as a signal would."""

    def __init__(self, step: int) -> None:
        self.at = step

    def step(self, report: Any) -> None:
        if report.step == self.at:
            signal.raise_signal(signal.SIGTERM)


@pytest.mark.parametrize("adapter", [{"kind": "lora", "r": 4, "dropout": 0.1}, {"kind": "full"}])
def test_a_stopped_run_continues_bit_for_bit(
    pairs: Any, losses: Callable[[Path], list[float]], adapter: dict[str, Any]
) -> None:
    train = {**DPO, "adapter": adapter, "steps": 6, "checkpoint_every": 2}
    straight = pairs.train(train)
    wanted = losses(straight)
    shutil.move(straight, pairs.root / "straight")
    with pytest.raises(Stopped):
        pairs.train(train, reporter=StopAfter(3))
    (run,) = pairs.workspace.runs.iterdir()
    assert pairs.resume(run) == run and losses(run) == wanted
    name = "adapter_model.safetensors" if adapter["kind"] == "lora" else "model.safetensors"
    was = (pairs.root / "straight/model" / name).read_bytes()
    assert (run / "model" / name).read_bytes() == was
    assert not [path for path in (run / "model").iterdir() if path.is_dir()]  # no second adapter


def test_the_preview_shows_both_answers(pairs: Any, capsys: pytest.CaptureFixture[str]) -> None:
    from evalsuite.models import ChatTokenizer
    from train.terminal import print_row

    row = pairs.prepare(DPO).rows[0]
    print_row(row, ChatTokenizer.from_dir(pairs.model), "dpo")
    shown = "".join(capsys.readouterr())
    assert "⟦angry card<|im_end|>⟧" in shown and "⟦happy card<|im_end|>⟧" in shown
    assert shown.index("chosen") < shown.index("rejected")
