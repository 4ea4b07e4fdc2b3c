"""ORPO and SimPO: the losses, whether they are learnt, and a trl that lacks them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from train.methods import reference_free
from train.recipe import TrainSection
from workspace.errors import DataError, LimitExceeded, UsageError

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

LORA = {"kind": "lora", "r": 4}
COMMON: dict[str, Any] = {
    "adapter": LORA,
    "batch_size": 8,
    "steps": 4,
    "learning_rate": 5e-3,
}
ORPO = {**COMMON, "method": "orpo"}
SIMPO = {**COMMON, "method": "simpo"}
BOTH = pytest.mark.parametrize("train", [ORPO, SIMPO], ids=["orpo", "simpo"])


@pytest.fixture
def pairs(bench: Any) -> Any:
    """The bench with preferences to learn; answers of several lengths."""
    bench.dataset("toy", [varied(number) for number in range(24)])
    return bench


def varied(number: int) -> dict[str, Any]:
    longer = " card" * (number % 3)
    return pair(number, chosen=[{"role": "assistant", "content": f"angry order{longer}"}])


@BOTH
def test_chats_are_refused(bench: Any, train: dict[str, Any]) -> None:
    with pytest.raises(DataError, match=f"`method: {train['method']}` cannot learn from rows"):
        bench.prepare(train)


@BOTH
def test_a_trl_without_the_trainer_is_refused_before_anything_is_read(
    bench: Any, train: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even before the dataset, which does not exist here, is missed."""
    monkeypatch.setattr(reference_free, "_has_experimental", lambda name: False)
    with pytest.raises(UsageError, match=f"no trainer for `method: {train['method']}`") as caught:
        bench.prepare(train)
    assert "pip install" in caught.value.cure and "method: dpo" in caught.value.cure


def test_what_trl_has_is_found_without_importing_it() -> None:
    import subprocess
    import sys

    code = (
        "import sys; from train.methods.reference_free import _has_experimental as has; "
        "print(has('orpo'), has('cpo'), has('none'), 'trl' in sys.modules, 'torch' in sys.modules)"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert out.split() == ["True", "True", "False", "False", "False"]


@pytest.mark.parametrize(
    "method",
    [
        {"kind": "orpo", "beta": 0},
        {"kind": "orpo", "gamma": 1},
        {"kind": "simpo", "gamma": -1},
        {"kind": "simpo", "label_smoothing": 0.5},
    ],
)
def test_settings_that_are_none_are_refused(method: Any) -> None:
    with pytest.raises(ValueError, match=method["kind"]):
        TrainSection.model_validate({"method": method})


@pytest.mark.parametrize("adapter", [LORA, {"kind": "full"}])
def test_the_orpo_loss_is_that_of_the_paper(pairs: Any, adapter: dict[str, Any]) -> None:
    """Cross-entropy of the chosen answers' tokens, prompts left out, - beta log sigmoid(log odds
    ratio), odds of the mean log-probability per token, by hand."""
    method = {"kind": "orpo", "beta": 0.5}
    trainer = build(pairs, {**ORPO, "method": method, "adapter": adapter, "micro_batch_size": 8})
    disturb(trainer.model)
    prepared = trainer.request.prepared
    logs, odds = [], []
    for index in prepared.schedule.batch(0):
        chosen, rejected = (
            likelihoods(trainer.model, one) for one in prepared.rows[index].sequences
        )
        logs.append(chosen)
        means = [float(chosen.mean()), float(rejected.mean())]
        odds.append(np.subtract(*[mean - np.log1p(-np.exp(mean)) for mean in means]))
    nll = -float(sum(one.sum() for one in logs)) / sum(len(one) for one in logs)
    by_hand = nll + 0.5 * np.mean([np.logaddexp(0.0, -one) for one in odds])
    assert np.std(odds) > 0.005
    assert first_loss(trainer) == pytest.approx(by_hand, abs=1e-5)


@pytest.mark.parametrize("adapter", [LORA, {"kind": "full"}])
def test_the_simpo_loss_is_that_of_the_paper(pairs: Any, adapter: dict[str, Any]) -> None:
    """-log sigmoid(beta (mean log-probability of chosen - of rejected) - gamma), by hand, with
    label smoothing and the chosen answers' cross-entropy."""
    method = {"kind": "simpo", "gamma": 0.7, "sft_weight": 0.3, "label_smoothing": 0.1}
    trainer = build(pairs, {**SIMPO, "method": method, "adapter": adapter, "micro_batch_size": 8})
    disturb(trainer.model)
    prepared = trainer.request.prepared
    losses, logs = [], []
    for index in prepared.schedule.batch(0):
        chosen, rejected = (
            likelihoods(trainer.model, one) for one in prepared.rows[index].sequences
        )
        ahead = 2.0 * float(chosen.mean() - rejected.mean()) - 0.7
        losses.append(0.9 * np.logaddexp(0.0, -ahead) + 0.1 * np.logaddexp(0.0, ahead))
        logs.append(chosen)
    nll = -float(sum(one.sum() for one in logs)) / sum(len(one) for one in logs)
    assert np.std(losses) > 0.005
    assert first_loss(trainer) == pytest.approx(np.mean(losses) + 0.3 * nll, abs=1e-5)


@BOTH
def test_a_batch_that_is_not_the_planned_one_stops_the_run(
    pairs: Any, train: dict[str, Any]
) -> None:
    trainer = build(pairs, train)
    batch = next(iter(trainer.get_train_dataloader()))
    batch["rejected_labels"][0, 0] = 5
    with pytest.raises(LimitExceeded, match="not the planned one"):
        trainer.training_step(trainer.model, batch)


@pytest.mark.parametrize(
    ("name", "train"),
    [
        ("orpo lora", ORPO),
        ("orpo full", {**ORPO, "adapter": {"kind": "full"}, "micro_batch_size": 4}),
        ("simpo lora", SIMPO),
        ("simpo full", {**SIMPO, "adapter": {"kind": "full"}, "micro_batch_size": 4}),
    ],
)
def test_the_loss_trajectory_is_the_golden_one(
    pairs: Any, losses: Callable[[Path], list[float]], name: str, train: dict[str, Any]
) -> None:
    assert losses(pairs.train(train)) == pytest.approx(golden(name), abs=1e-5)


@pytest.mark.slow
@BOTH
def test_preferences_are_learnt_for_prompts_that_were_not_trained_on(
    pairs: Any, train: dict[str, Any]
) -> None:
    """Angry answers were always chosen; the base prefers the others."""
    from evalsuite.models.load import load_adapter, load_model

    pairs.dataset("toy", [pair(number) for number in range(24)])
    run = pairs.train({**train, "steps": 40})
    pairs.dataset("toy", [pair(number) for number in range(100, 120)])
    rows = pairs.prepare(train).rows

    def share(model: Any) -> float:
        ahead = [
            np.subtract(*[float(likelihoods(model, one).sum()) for one in row.sequences])
            for row in rows
        ]
        return float(np.mean(np.array(ahead) > 0))

    base = load_model(pairs.model)
    before = share(base)
    assert before <= 0.2 and share(load_adapter(base, run / "model")) == 1.0
    assert metrics(pairs)[-1]["values"]["rewards/accuracies"] == 1.0


@BOTH
@pytest.mark.parametrize("adapter", [{**LORA, "dropout": 0.1}, {"kind": "full"}])
def test_a_stopped_run_continues_bit_for_bit(
    pairs: Any,
    losses: Callable[[Path], list[float]],
    train: dict[str, Any],
    adapter: dict[str, Any],
) -> None:
    train = {**train, "adapter": adapter, "steps": 6, "checkpoint_every": 2}
    assert resumes_bit_for_bit(pairs, losses, train)
