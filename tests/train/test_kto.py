"""Answers marked good or bad: rows, mismatched answers, loss, and whether they are learnt."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from train.recipe import TrainSection
from workspace.errors import DataError, LimitExceeded, UsageError

from .preferences import (
    WORDS,
    build,
    disturb,
    first_loss,
    golden,
    likelihoods,
    metrics,
    resumes_bit_for_bit,
)

LORA = {"kind": "lora", "r": 4}
KTO: dict[str, Any] = {
    "method": "kto",
    "adapter": LORA,
    "batch_size": 8,
    "steps": 4,
    "learning_rate": 5e-3,
}


def marked(number: int, **changes: Any) -> dict[str, Any]:
    """A prompt of three words; angry answers are good and happy ones bad."""
    words = [WORDS[number % 10], WORDS[number // 10 % 10], WORDS[(number * 7 + 3) % 10]]
    good = number % 2 == 0
    said = " ".join(words[: 1 + number % 3])
    return {
        "id": f"row-{number}",
        "prompt": [{"role": "user", "content": " ".join(words)}],
        "completion": [{"role": "assistant", "content": f"{'angry' if good else 'happy'} {said}"}],
        "label": good,
        "meta": {"source": "marked.jsonl", "row": number},
        **changes,
    }


@pytest.fixture
def answers(bench: Any) -> Any:
    """The bench with marked answers to learn."""
    bench.dataset("toy", [marked(number) for number in range(24)])
    return bench


def test_a_row_is_its_prompt_and_answer_with_its_label(answers: Any) -> None:
    from evalsuite.models import ChatTokenizer

    prepared = answers.prepare(KTO)
    tokenizer = ChatTokenizer.from_dir(answers.model)
    row = prepared.rows[1]
    assert tokenizer.decode(row.input_ids.tolist(), special=True) == (
        "<|im_start|>user\nrefund card card<|im_end|>\n<|im_start|>assistant\n"
        "happy refund card<|im_end|>"
    )
    assert tokenizer.decode(row.input_ids[row.loss_mask].tolist()) == "happy refund card"
    assert prepared.rows.targets.tolist() == [1.0, 0.0] * 12
    digest = prepared.plan.schedule_digest
    flipped = [marked(number, label=number % 2 == 1) for number in range(24)]
    answers.dataset("toy", flipped)
    assert answers.prepare(KTO).plan.schedule_digest != digest


@pytest.mark.parametrize(("label", "what"), [(True, "good"), (False, "bad")])
def test_labels_of_one_class_are_refused_with_the_counts(
    bench: Any, label: bool, what: str
) -> None:
    bench.dataset("toy", [marked(number, label=label) for number in range(5)])
    with pytest.raises(DataError, match=f"all 5 answers are {what}") as caught:
        bench.prepare(KTO)
    assert f"{5 if label else 0} are labelled true and {0 if label else 5} false" in (
        caught.value.cause
    )


def test_a_label_that_is_no_boolean_is_named(bench: Any) -> None:
    bench.dataset("toy", [marked(number, label=str(number)) for number in range(3)])
    with pytest.raises(DataError, match="neither true nor false") as caught:
        bench.prepare(KTO)
    assert "marked.jsonl:0" in caught.value.where and "'0'" in caught.value.cause


def test_chats_are_refused(bench: Any) -> None:
    with pytest.raises(DataError, match="`method: kto` cannot learn from rows of messages"):
        bench.prepare(KTO)


@pytest.mark.parametrize("changes", [{"micro_batch_size": 1}, {"batch_size": 1}])
def test_single_rows_are_refused(answers: Any, changes: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="needs two rows at once") as caught:
        answers.prepare({**KTO, **changes})
    assert caught.value.where == f"train.{next(iter(changes))}"


def test_the_plan_never_chooses_single_rows(answers: Any) -> None:
    plan = answers.prepare({**KTO, "batch_size": 7}).plan
    assert plan["micro_batch_size"] == 7


def test_classes_out_of_balance_are_warned_of_with_weights_that_mend_it(bench: Any) -> None:
    bench.dataset("toy", [marked(number, label=number % 5 == 0) for number in range(25)])
    warned = bench.prepare(KTO).plan.warnings[-1]
    assert warned.startswith("5 good and 20 bad answers weigh 0.25 to 1")
    assert "desirable_weight to 4.00 … 5.33" in warned
    assert "undesirable_weight to 0.19 … 0.25" in warned
    for mended in ({"desirable_weight": 4.0}, {"undesirable_weight": 0.2}):
        plan = bench.prepare({**KTO, "method": {"kind": "kto", **mended}}).plan
        assert not any("KTO paper" in warning for warning in plan.warnings)


@pytest.mark.parametrize(
    "method",
    [{"kind": "kto", "beta": 0}, {"kind": "kto", "loss": "sigmoid"}, {"kind": "kto", "bta": 1}],
)
def test_settings_that_are_none_are_refused(method: Any) -> None:
    with pytest.raises(ValueError, match="kto"):
        TrainSection.model_validate({"method": method})


def test_each_prompt_is_read_with_the_answer_before_it_in_its_micro_batch() -> None:
    from train.plan.schedule import Schedule
    from train.trl_bridge.kto import mismatched_places

    order, offsets = np.arange(11), np.array([0, 4, 8, 11])
    assert mismatched_places(Schedule(order, offsets, 4)).tolist() == [
        *(3, 0, 1, 2),
        *(7, 4, 5, 6),
        *(10, 8, 9),
    ]
    alone = mismatched_places(Schedule(order, offsets, 2)).tolist()
    assert alone == [1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 9]


@pytest.mark.parametrize("adapter", [LORA, {"kind": "full"}])
@pytest.mark.parametrize("loss", ["kto", "apo_zero_unpaired"])
def test_the_loss_is_that_of_the_paper(answers: Any, adapter: dict[str, Any], loss: str) -> None:
    """w (1 - sigmoid(±beta (log ratio - drift))) on the mean over the rows, by hand."""
    from train.rows import TokenSequence
    from train.trl_bridge.kto import mismatched_places

    method = {"kind": "kto", "loss": loss, "beta": 0.3, "desirable_weight": 1.2}
    trainer = build(answers, {**KTO, "method": method, "adapter": adapter, "micro_batch_size": 8})
    from evalsuite.models.load import load_model

    base = load_model(answers.model)
    disturb(trainer.model)
    prepared = trainer.request.prepared
    others = mismatched_places(prepared.schedule)

    def ratio(one: TokenSequence) -> float:
        return float(likelihoods(trainer.model, one).sum() - likelihoods(base, one).sum())

    ratios, drifts, labels = [], [], []
    for place in range(8):
        row = prepared.rows[int(prepared.schedule.order[place])]
        other = prepared.rows[int(prepared.schedule.order[others[place]])]
        prompt = row.input_ids[~row.loss_mask]
        ids = np.concatenate([prompt, other.input_ids[other.loss_mask]])
        ratios.append(ratio(row.sequences[0]))
        drifts.append(ratio(TokenSequence(ids, np.arange(len(ids)) >= len(prompt))))
        labels.append(row.target == 1.0)
    drift = max(0.0, float(np.mean(drifts))) if loss == "kto" else 0.0
    signs = np.where(labels, 1.0, -1.0)
    weights = np.where(labels, 1.2, 1.0)
    by_hand = weights * (1 - 1 / (1 + np.exp(-0.3 * signs * (np.array(ratios) - drift))))
    assert np.std(by_hand) > 0.005
    assert first_loss(trainer) == pytest.approx(by_hand.mean(), abs=1e-5)


@pytest.mark.parametrize("name", ["completion_mask", "KL_input_ids", "KL_completion_mask", "label"])
def test_a_batch_that_is_not_the_planned_one_stops_the_run(answers: Any, name: str) -> None:
    trainer = build(answers, KTO)
    batch = next(iter(trainer.get_train_dataloader()))
    batch[name].view(-1)[0] = 1 - batch[name].view(-1)[0].int()
    with pytest.raises(LimitExceeded, match="not the planned one"):
        trainer.training_step(trainer.model, batch)


def test_a_long_prompt_with_anothers_long_answer_is_cut_to_the_limit(bench: Any) -> None:
    long = " ".join(WORDS * 2)
    rows = [
        marked(0, prompt=[{"role": "user", "content": long}]),
        marked(1, completion=[{"role": "assistant", "content": long}]),
    ]
    bench.dataset("toy", rows)
    trainer = build(bench, {**KTO, "batch_size": 2, "max_length": 60})
    batch = next(iter(trainer.get_train_dataloader()))
    assert batch["KL_input_ids"].shape[1] == 60 and batch["input_ids"].shape[1] <= 60
    first_loss(trainer)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("kto lora", {}),
        ("kto full", {"adapter": {"kind": "full"}, "micro_batch_size": 4}),
        ("kto apo", {"method": {"kind": "kto", "loss": "apo_zero_unpaired"}}),
    ],
)
def test_the_loss_trajectory_is_the_golden_one(
    answers: Any, losses: Callable[[Path], list[float]], name: str, changes: dict[str, Any]
) -> None:
    found = losses(answers.train({**KTO, **changes}))
    assert found == pytest.approx(golden(name), abs=1e-5)


def test_good_answers_are_preferred_for_prompts_that_were_not_trained_on(answers: Any) -> None:
    from evalsuite.models.load import load_adapter, load_model

    run = answers.train({**KTO, "steps": 60})
    held_out = [
        marked(number, label=good, completion=[{"role": "assistant", "content": f"{word} card"}])
        for number in range(100, 120)
        for word, good in (("angry", True), ("happy", False))
    ]
    answers.dataset("toy", held_out)
    rows = answers.prepare(KTO).rows

    def ahead(model: Any) -> Any:
        sums = [float(likelihoods(model, row.sequences[0]).sum()) for row in rows]
        return np.array(sums[::2]) - np.array(sums[1::2])

    base = load_model(answers.model)
    before = ahead(base)
    after = ahead(load_adapter(base, run / "model"))
    assert (before < 0).mean() >= 0.8 and (after > 0).all()
    told = metrics(answers)[-1]["values"]
    assert told["rewards/margins"] > 0.1 and told["kl"] >= 0


@pytest.mark.parametrize(
    "adapter", [{**LORA, "dropout": 0.1}, pytest.param({"kind": "full"}, marks=pytest.mark.slow)]
)
def test_a_stopped_run_continues_bit_for_bit(
    answers: Any, losses: Callable[[Path], list[float]], adapter: dict[str, Any]
) -> None:
    """An epoch of 41 rows: the last step has one row, which takes the answer of the one before."""
    train = {**KTO, "adapter": adapter, "checkpoint_every": 2, "micro_batch_size": 4}
    answers.dataset("toy", [marked(number) for number in range(41)])
    assert resumes_bit_for_bit(answers, losses, {**train, "steps": None, "epochs": 1})
