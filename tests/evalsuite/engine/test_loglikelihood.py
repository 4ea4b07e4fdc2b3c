"""Choices share their prompt's cache and lose nothing by it."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch

from evalsuite.engine.forward import Engine
from evalsuite.engine.loglikelihood import score_choices
from evalsuite.engine.perplexity import rolling_windows, score_texts
from evalsuite.engine.requests import ChoiceRequest, TextRequest
from evalsuite.models.load import load_model


@pytest.fixture(scope="module")
def engine(tiny_model: Path) -> Engine:
    torch.set_num_threads(1)
    return Engine(load_model(tiny_model), pad_id=0)


def _plain(engine: Engine, ids: list[int], start: int) -> tuple[float, bool]:
    logits = engine.model(torch.tensor([ids])).logits[0].detach().log_softmax(-1)
    places = range(start, len(ids))
    score = sum(float(logits[place - 1, ids[place]]) for place in places)
    return score, all(int(logits[place - 1].argmax()) == ids[place] for place in places)


@pytest.mark.parametrize("shared", [0, 40])
def test_choices_equal_one_pass_per_choice(engine: Engine, shared: int) -> None:
    rng = random.Random(1)
    requests = [
        ChoiceRequest(
            (7,) * shared + tuple(rng.choices(range(3, 200), k=rng.randint(1, 40))),
            tuple(
                tuple(rng.choices(range(3, 200), k=rng.choice([1, 1, 2, 5])))
                for _ in range(rng.randint(2, 5))
            ),
        )
        for _ in range(20)
    ]
    for request, answer in zip(requests, score_choices(engine, requests), strict=True):
        for choice, logprob, greedy in zip(
            request.choices, answer.logprobs, answer.greedy, strict=True
        ):
            score, is_greedy = _plain(engine, [*request.prompt, *choice], len(request.prompt))
            assert logprob == pytest.approx(score, abs=1e-4)
            assert greedy == is_greedy


def test_greedy_is_true_for_what_greedy_decoding_writes(engine: Engine) -> None:
    prompt = (5, 6, 7)
    ids = engine.model.generate(
        torch.tensor([prompt]), attention_mask=torch.ones(1, 3), do_sample=False,
        max_new_tokens=3, eos_token_id=None, pad_token_id=0,
    )[0, 3:].tolist()  # fmt: skip
    other = [*ids[:2], (ids[2] + 1) % 200]
    (answer,) = score_choices(engine, [ChoiceRequest(prompt, (tuple(ids), tuple(other)))])
    assert answer.greedy == (True, False)


def test_windows_predict_every_token_once_from_as_much_context_as_fits() -> None:
    tokens = list(range(10, 20))
    windows = list(rolling_windows(tokens, prefix=1, longest=4))
    assert [window.inputs for window in windows] == [
        (1, 10, 11, 12), (13, 14, 15, 16), (15, 16, 17, 18)
    ]  # fmt: skip
    assert [window.targets for window in windows] == [
        (10, 11, 12, 13), (14, 15, 16, 17), (18, 19)
    ]  # fmt: skip


def test_a_text_in_one_window_equals_one_pass(engine: Engine) -> None:
    rng = random.Random(2)
    texts = [tuple(rng.choices(range(3, 200), k=length)) for length in (1, 7, 30)]
    requests = [TextRequest(text, 2, 512) for text in texts]
    for text, answer in zip(texts, score_texts(engine, requests), strict=True):
        assert answer.logprob == pytest.approx(_plain(engine, [2, *text], 1)[0], abs=1e-4)
        assert answer.tokens == len(text)
