"""Preferences: rows, batches, loss, and whether they are learnt."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from train.recipe import TrainSection
from workspace.errors import DataError

from .preferences import (
    build,
    disturb,
    first_loss,
    golden,
    likelihoods,
    metrics,
    pair,
    resumes_bit_for_bit,
)

DPO = {
    "method": "dpo",
    "adapter": {"kind": "lora", "r": 4},
    "batch_size": 8,
    "steps": 4,
}


@pytest.fixture
def pairs(bench: Any) -> Any:
    """The bench with preferences to learn."""
    bench.dataset("toy", [pair(number) for number in range(24)])
    return bench


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
    from evalsuite.models.load import load_model

    trainer = build(pairs, {**DPO, "adapter": {"kind": adapter}, "micro_batch_size": 8})
    model, prepared = trainer.model, trainer.request.prepared
    base = load_model(pairs.model)
    disturb(model)
    losses = []
    for index in prepared.schedule.batch(0):
        ratios = [
            float(likelihoods(model, one).sum() - likelihoods(base, one).sum())
            for one in prepared.rows[index].sequences
        ]
        losses.append(np.logaddexp(0.0, -0.1 * (ratios[0] - ratios[1])))
    assert np.std(losses) > 0.005  # the weights are not the base's any more
    assert first_loss(trainer) == pytest.approx(np.mean(losses), abs=1e-5)


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
    assert found == pytest.approx(golden(name), abs=1e-5)


def test_preferences_are_learnt_for_prompts_that_were_not_trained_on(pairs: Any) -> None:
    """Angry answers were always chosen; the base prefers the others."""
    from evalsuite.models.load import load_adapter, load_model

    run = pairs.train({**DPO, "steps": 40, "learning_rate": 5e-3})
    fresh = [pair(number) for number in range(100, 120)]
    pairs.dataset("toy", fresh)
    rows = pairs.prepare(DPO).rows

    def share(model: Any) -> float:
        right = 0
        for row in rows:
            chosen, rejected = (float(likelihoods(model, one).sum()) for one in row.sequences)
            right += chosen > rejected
        return right / len(rows)

    base = load_model(pairs.model)
    before = share(base)
    after = share(load_adapter(base, run / "model"))
    assert before <= 0.2 and after == 1.0
    steps = metrics(pairs)
    assert steps[-1]["values"]["rewards/accuracies"] == 1.0
    assert steps[0]["values"]["rewards/margins"] == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize(
    "adapter",
    [
        {"kind": "lora", "r": 4, "dropout": 0.1},
        pytest.param({"kind": "full"}, marks=pytest.mark.slow),
    ],
)
def test_a_stopped_run_continues_bit_for_bit(
    pairs: Any, losses: Callable[[Path], list[float]], adapter: dict[str, Any]
) -> None:
    train = {**DPO, "adapter": adapter, "steps": 6, "checkpoint_every": 2}
    assert resumes_bit_for_bit(pairs, losses, train)


def test_the_preview_shows_both_answers(pairs: Any, capsys: pytest.CaptureFixture[str]) -> None:
    from evalsuite.models import ChatTokenizer
    from train.terminal import print_row

    row = pairs.prepare(DPO).rows[0]
    print_row(row, ChatTokenizer.from_dir(pairs.model), "dpo")
    shown = "".join(capsys.readouterr())
    assert "⟦angry card<|im_end|>⟧" in shown and "⟦happy card<|im_end|>⟧" in shown
    assert shown.index("chosen") < shown.index("rejected")
