"""Reward models: what is read, the loss, whether preferences are learnt, and who can use them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from train.recipe import TrainSection
from workspace.errors import DataError, LimitExceeded, ModelError, UsageError

from .preferences import (
    build,
    disturb,
    first_loss,
    golden,
    metrics,
    pair,
    resumes_bit_for_bit,
)

LORA = {"kind": "lora", "r": 4}
REWARD: dict[str, Any] = {
    "method": "reward",
    "adapter": LORA,
    "batch_size": 8,
    "steps": 4,
    "learning_rate": 5e-3,
}


@pytest.fixture
def pairs(bench: Any) -> Any:
    """The bench with preferences to learn."""
    bench.dataset("toy", [pair(number) for number in range(24)])
    return bench


def rewards(model: Any, row: Any) -> list[float]:
    """What a model gives either chat, each alone."""
    import torch

    with torch.no_grad():
        return [
            float(model(input_ids=torch.tensor(one.input_ids[None].astype("int64"))).logits)
            for one in row.sequences
        ]


def test_either_chat_is_read_whole_and_the_loss_is_on_its_last_token(pairs: Any) -> None:
    from evalsuite.models import ChatTokenizer

    prepared = pairs.prepare(REWARD)
    tokenizer = ChatTokenizer.from_dir(pairs.model)
    row = prepared.rows[0]
    texts = [tokenizer.decode(one.input_ids.tolist(), special=True) for one in row.sequences]
    head = "<|im_start|>user\ncard card late<|im_end|>\n<|im_start|>assistant\n"
    assert texts == [head + "angry card<|im_end|>\n", head + "happy card<|im_end|>\n"]
    assert [np.flatnonzero(one.loss_mask).tolist() for one in row.sequences] == [
        [one.tokens - 1] for one in row.sequences
    ]
    account = prepared.ledger.total("train")
    assert account.balances() and account.tokens_trained == 48
    # 2 layers x 7 linear layers of LoRA at rank 4, and the head of 32 numbers
    assert prepared.plan.trainable_parameters == 2 * 4 * (64 + 48 + 48 + 64 + 3 * 96) + 32


def test_the_number_of_trained_weights_is_the_plans(pairs: Any) -> None:
    from train.adapters import trainable_parameters

    for adapter in (LORA, {"kind": "full"}):
        trainer = build(pairs, {**REWARD, "adapter": adapter})
        planned = trainer.request.prepared.plan.trainable_parameters
        assert trainable_parameters(trainer.model) == planned


def test_the_proof_says_what_is_read_and_where(pairs: Any) -> None:
    from evalsuite.models import ChatTokenizer
    from train.proof import prove

    rows = pairs.prepare(REWARD).rows
    proof = prove(rows, ChatTokenizer.from_dir(pairs.model), method="reward")
    assert proof.passed and proof.reads == "whole" and proof.turns == 48
    assert "48 chats in 24 rows are read whole" in proof.summary and "'\\n'" in proof.summary


def test_a_template_that_leaves_the_answer_out_is_disproved(
    pairs: Any, model_with: Callable[[str], Path]
) -> None:
    template = "{% for m in messages %}{{ m.role }}:{{ m.content[:7] }}\n{% endfor %}"
    pairs.model = model_with(template)
    with pytest.raises(LimitExceeded, match="mask proof failed") as caught:
        pairs.train(REWARD)
    assert "what the assistant wrote is not read" in caught.value.cause
    assert "must write all that the assistant said" in caught.value.cure


def test_a_template_without_generation_marks_will_do(
    pairs: Any, model_with: Callable[[str], Path]
) -> None:
    pairs.model = model_with("{% for m in messages %}{{ m.role }}:{{ m.content }};{% endfor %}")
    assert len(pairs.prepare(REWARD).rows) == 24


def test_wrong_rows_and_settings_are_refused(bench: Any) -> None:
    with pytest.raises(DataError, match="`method: reward` cannot learn from rows of messages"):
        bench.prepare(REWARD)
    bench.dataset("toy", [pair(1)])
    with pytest.raises(UsageError, match="cannot be cut"):
        bench.prepare({**REWARD, "too_long": "cut"})
    with pytest.raises(ValueError, match="greater than 0"):
        TrainSection.model_validate({"method": {"kind": "reward", "center": 0}})
    with pytest.raises(ValueError, match="centre"):
        TrainSection.model_validate({"method": {"kind": "reward", "centre": 1}})


def test_equal_answers_and_empty_datasets_are_accounted_for(bench: Any) -> None:
    same = pair(0, rejected=[{"role": "assistant", "content": "angry card"}])
    bench.dataset("toy", [*(pair(number) for number in range(1, 30)), same])
    ledger = bench.prepare(REWARD).ledger
    assert dict(ledger.total("train").rows_dropped) == {"chosen_equals_rejected": 1}


@pytest.mark.parametrize("value", [None, float("nan")])
def test_a_margin_that_is_no_number_is_named_and_can_be_ignored(bench: Any, value: Any) -> None:
    bench.dataset("toy", [pair(1, margin=0.5), pair(2, margin=value)])
    with pytest.raises(DataError, match="margin is not a number") as caught:
        bench.prepare(REWARD)
    assert "pairs.jsonl:2" in caught.value.where
    ignored = {**REWARD, "method": {"kind": "reward", "margins": False}}
    assert bench.prepare(ignored).plan.warnings == [
        "nothing is replayed: measure what the model forgets with a retention suite"
    ]
    assert len(bench.prepare({**REWARD, "method": "dpo"}).rows) == 2


def test_margins_are_in_the_plan_and_change_its_digest(bench: Any) -> None:
    bench.dataset("toy", [pair(number, margin=number / 10) for number in range(24)])
    one = bench.prepare(REWARD).plan
    assert one.warnings[-1].endswith("margins of the column `margin`: 0 to 2.3")
    bench.dataset("toy", [pair(number, margin=number / 5) for number in range(24)])
    assert bench.prepare(REWARD).plan.schedule_digest != one.schedule_digest


@pytest.mark.parametrize("adapter", [LORA, {"kind": "full"}])
def test_the_loss_is_that_of_the_papers(bench: Any, adapter: dict[str, Any]) -> None:
    """-log sigmoid(r(chosen) - r(rejected) - margin) + c (r(chosen) + r(rejected))^2, by hand."""
    bench.dataset("toy", [pair(number, margin=number / 10) for number in range(24)])
    method = {"kind": "reward", "center": 0.1}
    trainer = build(bench, {**REWARD, "method": method, "adapter": adapter, "micro_batch_size": 8})
    disturb(trainer.model)
    prepared, losses = trainer.request.prepared, []
    trainer.model.eval()
    for index in prepared.schedule.batch(0):
        row = prepared.rows[index]
        chosen, rejected = rewards(trainer.model, row)
        ahead = chosen - rejected - row.target
        losses.append(np.logaddexp(0.0, -ahead) + 0.1 * (chosen + rejected) ** 2)
    assert np.std(losses) > 0.005
    trainer.model.train()
    assert first_loss(trainer) == pytest.approx(np.mean(losses), abs=1e-5)


def test_a_batch_that_is_not_the_planned_one_stops_the_run(bench: Any) -> None:
    bench.dataset("toy", [pair(number, margin=number / 10) for number in range(24)])
    for name, value in (("input_ids", 5), ("margin", 3.0)):
        trainer = build(bench, REWARD)
        batch = next(iter(trainer.get_train_dataloader()))
        batch[name].view(-1)[0] = value
        with pytest.raises(LimitExceeded, match="not the planned one"):
            trainer.training_step(trainer.model, batch)


def test_the_number_is_taken_at_the_end_also_where_the_padding_ends_turns(
    pairs: Any, model_with: Callable[[str], Path]
) -> None:
    """A tokenizer whose padding is its stop token; its template ends in that token."""
    import torch

    from evalsuite.models.load import load_reward_model

    template = "{% for m in messages %}{{ m.role }}:{{ m.content }}<|im_end|>{% endfor %}"
    pairs.model = model_with(template)
    file = pairs.model / "tokenizer_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "pad_token": "<|im_end|>"}))
    run = pairs.train(REWARD)
    row = pairs.prepare(REWARD).rows[0]
    model = load_reward_model(run / "model")
    assert row.sequences[0].input_ids[-1] == 2 != model.config.pad_token_id
    ids = torch.tensor(row.sequences[0].input_ids[None].astype("int64"))
    with torch.no_grad():
        wanted = float(model.score(model.model(input_ids=ids).last_hidden_state[0, -1]))
    assert rewards(model, row)[0] == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("reward lora", {}),
        ("reward full", {"adapter": {"kind": "full"}, "micro_batch_size": 4}),
        ("reward centred", {"method": {"kind": "reward", "center": 0.01}}),
    ],
)
def test_the_loss_trajectory_is_the_golden_one(
    pairs: Any, losses: Callable[[Path], list[float]], name: str, changes: dict[str, Any]
) -> None:
    found = losses(pairs.train({**REWARD, **changes}))
    assert found == pytest.approx(golden(name), abs=1e-5)


def test_another_seed_draws_another_head_and_the_same_one_the_same(pairs: Any) -> None:
    import torch

    from evalsuite.models.load import load_with_reward_head

    heads = [load_with_reward_head(pairs.model, seed=seed).score.weight for seed in (0, 0, 1)]
    assert torch.equal(heads[0], heads[1]) and not torch.equal(heads[0], heads[2])
    assert float(heads[0].detach().std()) == pytest.approx(33**-0.5, rel=0.3)


@pytest.mark.parametrize("adapter", [LORA, {"kind": "full"}])
def test_preferences_are_learnt_for_prompts_that_were_not_trained_on(
    pairs: Any, adapter: dict[str, Any]
) -> None:
    from evalsuite.models.load import load_reward_model, load_with_reward_head

    train = {**REWARD, "adapter": adapter, "steps": 30}
    run = pairs.train(train)
    pairs.dataset("toy", [pair(number) for number in range(100, 120)])
    rows = pairs.prepare(train).rows

    def ahead(model: Any) -> Any:
        return np.array([np.subtract(*rewards(model, row)) for row in rows])

    before = ahead(load_with_reward_head(pairs.model, seed=0))
    after = ahead(load_reward_model(run / "model"))
    assert (after > 0).all() and after.mean() > before.mean() + 2
    last = metrics(pairs)[-1]["values"]
    assert last["accuracy"] == 1.0 and last["margin"] > 2 and last["min_reward"] < 0


@pytest.mark.parametrize("adapter", [{**LORA, "dropout": 0.1}, {"kind": "full"}])
def test_a_stopped_run_continues_bit_for_bit(
    pairs: Any, losses: Callable[[Path], list[float]], adapter: dict[str, Any]
) -> None:
    train = {**REWARD, "adapter": adapter, "steps": 6, "checkpoint_every": 2}
    assert resumes_bit_for_bit(pairs, losses, train)


def test_curate_scores_rows_by_a_reward_model_trained_here(
    pairs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The published directory is what `temper curate score reward` takes, LoRA merged."""
    import polars as pl

    import curate
    from evalsuite.models.load import load_reward_model

    monkeypatch.chdir(pairs.root)
    run = pairs.train({**REWARD, "steps": 30})
    held_out = [pair(number) for number in range(100, 112)]
    columns = ("id", "prompt", "chosen", "rejected")
    frame = pl.DataFrame([{name: row[name] for name in columns} for row in held_out])
    scored = curate.score(frame, "reward", model=str(run / "model"))
    found = {row["id"]: row["scores"] for row in scored.kept.collect().to_dicts()}
    pairs.dataset("toy", held_out)
    model = load_reward_model(run / "model")
    for row in pairs.prepare(REWARD).rows:
        chosen, rejected = rewards(model, row)
        scores = found[row.row_id]
        assert scores["reward"] == pytest.approx(chosen, abs=1e-4)
        assert scores["reward_margin"] == pytest.approx(chosen - rejected, abs=1e-4)
        assert scores["reward_margin"] > 0


def test_a_run_of_it_is_not_evaluated_by_suites_and_says_what_is(pairs: Any) -> None:
    from evalsuite.engine.subjects import find_subject

    run = pairs.train({**REWARD, "steps": 1})
    for name in (run.name, str(run / "model")):
        with pytest.raises(UsageError, match="does not write answers") as caught:
            find_subject(name, pairs.workspace)
        assert "temper curate score reward" in caught.value.cure


def test_a_reward_model_goes_on_from_its_own_head(pairs: Any) -> None:
    import torch

    from evalsuite.models.load import load_reward_model, load_with_reward_head

    run = pairs.train({**REWARD, "steps": 2})
    again = load_with_reward_head(run / "model", seed=5)
    assert torch.equal(again.score.weight, load_reward_model(run / "model").score.weight)


def test_a_model_that_is_no_decoder_is_refused(tmp_path: Path) -> None:
    from transformers import BertConfig, BertForMaskedLM

    from evalsuite.models.load import load_with_reward_head

    config = BertConfig(
        vocab_size=30,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        intermediate_size=8,
        max_position_embeddings=16,
    )
    BertForMaskedLM(config).save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="cannot be made of this model"):
        load_with_reward_head(tmp_path, seed=0)
