import json
import math
from itertools import chain
from typing import Any

import pytest
import torch

from evalsuite.builtin import model_path
from evalsuite.builtin.abilities import ABILITIES
from evalsuite.builtin.muon import Muon, orthogonalise
from evalsuite.builtin.pretraining import draw_chats
from evalsuite.builtin.scoring import answer, wilson_interval
from evalsuite.builtin.tokens import segments


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(model_path())


@pytest.fixture(scope="module")
def model() -> Any:
    from transformers import AutoModelForCausalLM

    loaded: Any = AutoModelForCausalLM.from_pretrained(model_path())
    return loaded.eval()


def test_the_model_is_at_most_8_mb_of_plain_data() -> None:
    files = [path for path in model_path().rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 8_000_000
    assert {path.suffix for path in files} <= {".safetensors", ".json", ".jinja", ".md"}


def test_it_loads_in_float32_and_answers(model: Any, tokenizer: Any) -> None:
    assert model.dtype == torch.float32
    prompts = ["What is the capital of France?", "Repeat these words: river moon stone"]
    assert answer(model, tokenizer, prompts, max_new_tokens=12) == ["Paris", "river moon stone"]


def test_generation_stops_at_the_end_of_turn_and_padding_is_another_token(
    model: Any, tokenizer: Any
) -> None:
    assert tokenizer.eos_token == "<|im_end|>"
    assert model.generation_config.eos_token_id == tokenizer.eos_token_id
    assert tokenizer.pad_token_id not in (None, tokenizer.eos_token_id)


def test_training_text_is_what_the_chat_template_renders(tokenizer: Any) -> None:
    chats = draw_chats(seed=2)
    for _ in range(200):
        chat = next(chats)
        pieces = segments(chat)
        rendered = tokenizer.apply_chat_template(chat, tokenize=False)
        assert "".join(text for text, _ in pieces) + "\n" == rendered
        whole = tokenizer(rendered, add_special_tokens=False)["input_ids"]
        parts = [tokenizer(text, add_special_tokens=False)["input_ids"] for text, _ in pieces]
        assert list(chain.from_iterable(parts)) == whole[:-1]


def test_the_template_marks_answers_with_their_end_token(tokenizer: Any) -> None:
    chat = [
        {"role": "system", "content": "Be exact."},
        {"role": "user", "content": "Add 2 and 3."},
        {"role": "assistant", "content": "5"},
    ]
    encoded = tokenizer.apply_chat_template(
        chat, tokenize=True, return_dict=True, return_assistant_tokens_mask=True
    )
    marked = zip(encoded["input_ids"], encoded["assistant_masks"], strict=True)
    assert tokenizer.decode([token for token, mask in marked if mask]) == "5<|im_end|>"


def test_tokens_round_trip_and_digits_are_single(tokenizer: Any) -> None:
    text = 'Größe 2024-03-05: {"team":"billing"}\n  two spaces, naïve ☃'
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
    assert len(tokenizer("1234")["input_ids"]) == 4


def test_shipped_scores_reach_the_goal_on_enough_items() -> None:
    scores = json.loads((model_path() / "scores.json").read_bytes())
    assert set(scores["retention"]) == {known.name for known in ABILITIES}
    for found in scores["retention"].values():
        assert found["n"] >= 500
        assert found["accuracy"] >= 0.9
        low, high = found["interval"]
        assert low < found["accuracy"] <= high
    assert scores["triage_zero_shot"]["accuracy"] == 0


@pytest.mark.slow
def test_shipped_scores_are_measured_again(model: Any, tokenizer: Any) -> None:
    from evalsuite.builtin.card import measure

    shipped = json.loads((model_path() / "scores.json").read_bytes())
    for name, found in measure(model, tokenizer)["retention"].items():
        assert found["accuracy"] == pytest.approx(shipped["retention"][name]["accuracy"], abs=0.004)


def test_wilson_interval_agrees_with_a_worked_example() -> None:
    # Newcombe 1998, table I: 81 of 263.
    low, high = wilson_interval(81, 263)
    assert low == pytest.approx(0.2553, abs=1e-4)
    assert high == pytest.approx(0.3662, abs=1e-4)


def test_orthogonalise_brings_singular_values_near_one() -> None:
    matrices = torch.randn(3, 48, 20, generator=torch.Generator().manual_seed(0))
    values = torch.linalg.svdvals(orthogonalise(matrices))
    assert values.min() > 0.5
    assert values.max() < 1.5


def test_muon_lowers_a_loss() -> None:
    weight = torch.nn.Parameter(torch.zeros(8, 8))
    target = torch.linalg.qr(torch.randn(8, 8, generator=torch.Generator().manual_seed(1)))[0]
    muon = Muon([weight], weight_decay=0.0)
    for _ in range(80):
        weight.grad = weight.detach() - target
        muon.step(0.02)
    assert (weight - target).norm() < 0.3 * math.sqrt(8)
