"""Rewards by a sequence classification model: one row alone says the same as many."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
from transformers import LlamaConfig, LlamaForSequenceClassification

import curate as package
from evalsuite.builtin import model_path
from evalsuite.models import ChatTokenizer, load
from workspace.errors import ModelError, UsageError

TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja")


def save_reward_model(directory: Path, **settings: Any) -> Path:
    """A reward model with random weights that reads as the built-in model does."""
    torch.manual_seed(3)
    config = LlamaConfig(
        vocab_size=2048,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=256,
        initializer_range=0.5,
        **{"num_labels": 1, "pad_token_id": 0, **settings},
    )
    LlamaForSequenceClassification(config).save_pretrained(directory)
    for name in TOKENIZER_FILES:
        (directory / name).write_bytes((model_path() / name).read_bytes())
    return directory


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def reward_model(workspace: Path) -> str:
    return str(save_reward_model(workspace / "reward-model"))


def turns(role: str, texts: list[str]) -> list[list[dict[str, str]]]:
    return [[{"role": role, "content": text}] for text in texts]


ASKED = ["Say a.", "Say b and nothing else.", "Count to three.", "Name a colour."]
CHOSEN = ["a", "b", "3 2 1", "seven"]
REJECTED = ["no", "c, as far as I can see, is nearer", "1 2 3", "red"]


def pairs() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "prompt": turns("user", ASKED),
            "chosen": turns("assistant", CHOSEN),
            "rejected": turns("assistant", REJECTED),
            "id": ["a", "b", "c", "d"],
        }
    )


def direct(directory: str, asked: str, said: str) -> float:
    """One chat alone through the model."""
    tokenizer = ChatTokenizer.from_dir(Path(directory))
    model = LlamaForSequenceClassification.from_pretrained(directory)
    model.eval()
    row = [{"role": "user", "content": asked}, {"role": "assistant", "content": said}]
    ids = tokenizer.encode(tokenizer.render(row).text)
    with torch.no_grad():
        return float(model(input_ids=torch.tensor([ids])).logits[0, 0])


def test_both_answers_and_their_margin_are_scored(reward_model: str) -> None:
    outcome = package.score(pairs(), "reward", model=reward_model)
    found = outcome.kept.collect()["scores"].struct.unnest()
    assert found.columns == ["reward", "reward_rejected", "reward_margin"]
    for place, row in enumerate(found.iter_rows(named=True)):
        chosen = direct(reward_model, ASKED[place], CHOSEN[place])
        rejected = direct(reward_model, ASKED[place], REJECTED[place])
        assert row["reward"] == pytest.approx(chosen, rel=1e-4, abs=1e-5)
        assert row["reward_rejected"] == pytest.approx(rejected, rel=1e-4, abs=1e-5)
        assert row["reward_margin"] == pytest.approx(chosen - rejected, rel=1e-3, abs=1e-4)


def test_pairs_whose_order_the_model_denies_are_found(
    reward_model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    margins = package.score(pairs(), "reward", model=reward_model).kept.collect()
    values = dict(zip(margins["id"], margins["scores"].struct.field("reward_margin"), strict=True))
    monkeypatch.setattr(load, "load_reward_model", None)  # known: nothing is loaded
    outcome = package.score(pairs(), "reward", model=reward_model, min_margin=0)
    denied = [name for name, margin in values.items() if margin < 0]
    assert 0 < len(denied) < 4
    dropped = dict(zip("abcd", [False] * 4, strict=True)) | dict.fromkeys(denied, True)
    assert outcome.kept.collect()["id"].to_list() == [n for n, gone in dropped.items() if not gone]
    assert set(outcome.dropped["reason"]) == {"low_margin"}
    assert "reward_margin -" in outcome.dropped["detail"][0]
    assert "< 0: chosen " in outcome.dropped["detail"][0]


def test_chats_have_one_reward_and_thresholds(reward_model: str) -> None:
    rows = [
        [*ask, *say]
        for ask, say in zip(turns("user", ASKED), turns("assistant", CHOSEN), strict=True)
    ]
    outcome = package.score(
        pl.DataFrame({"messages": rows}), "reward", model=reward_model, keep_share=0.5
    )
    kept = outcome.kept.collect()["scores"].struct.field("reward").to_list()
    assert len(kept) == 2
    every = [direct(reward_model, a, c) for a, c in zip(ASKED, CHOSEN, strict=True)]
    assert sorted(kept) == pytest.approx(sorted(every)[2:], rel=1e-4)
    with pytest.raises(UsageError, match="margin"):
        package.score(pl.DataFrame({"messages": rows}), "reward", model=reward_model, min_margin=0)


def test_a_model_without_a_padding_token_is_asked_row_by_row(workspace: Path) -> None:
    directory = save_reward_model(workspace / "no-pad", pad_token_id=None)
    config = json.loads((directory / "tokenizer_config.json").read_text())
    del config["pad_token"]
    (directory / "tokenizer_config.json").write_text(json.dumps(config))
    outcome = package.score(pairs(), "reward", model=str(directory))
    found = outcome.kept.collect()["scores"].struct.field("reward").to_list()
    expected = [direct(str(directory), a, c) for a, c in zip(ASKED, CHOSEN, strict=True)]
    assert found == pytest.approx(expected, rel=1e-4)


def test_a_pair_with_one_side_too_long_has_no_score(reward_model: str) -> None:
    frame = pairs().with_columns(
        pl.Series("rejected", turns("assistant", [*REJECTED[:3], "word " * 400]))
    )
    outcome = package.score(frame, "reward", model=reward_model)
    assert outcome.kept.collect()["scores"].struct.field("reward").null_count() == 1
    assert any("the 256 that the model reads" in note for note in outcome.notes)


def test_what_is_no_reward_model_is_refused(workspace: Path) -> None:
    with pytest.raises(ModelError, match="no reward model") as error:
        package.score(pairs(), "reward", model="builtin")
    assert "score.weight" in error.value.cause
    many = save_reward_model(workspace / "many", num_labels=3)
    with pytest.raises(ModelError, match="no reward model") as error:
        package.score(pairs(), "reward", model=str(many))
    assert "3 labels" in error.value.cause
