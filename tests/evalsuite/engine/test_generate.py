"""Greedy decoding equals the library's own."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from evalsuite.engine.forward import Engine
from evalsuite.engine.generate import generate
from evalsuite.engine.prefixes import shared_prefix
from evalsuite.engine.requests import GenerateRequest
from evalsuite.models import ChatTokenizer
from evalsuite.models.load import load_model


@pytest.fixture(scope="module")
def engine(tiny_model: Path) -> Engine:
    torch.set_num_threads(1)
    return Engine(load_model(tiny_model), pad_id=0)


def _requests(tiny_model: Path, count: int = 40) -> list[GenerateRequest]:
    tokenizer = ChatTokenizer.from_dir(tiny_model)
    rng = random.Random(0)
    stops = tuple(sorted([*tokenizer.eos_ids, 70, 71, 99]))  # random weights rarely stop
    return [
        GenerateRequest(
            tuple(tokenizer.encode("".join(rng.choices("abc def,123", k=rng.randint(1, 30))))),
            rng.randint(1, 12),
            stops,
        )
        for _ in range(count)
    ]


@pytest.mark.parametrize("shared", [0, 50])
def test_batched_greedy_decoding_equals_generate_one_by_one(
    engine: Engine, tiny_model: Path, shared: int
) -> None:
    prefix = tuple(range(100, 100 + shared))
    requests = [replace(one, prompt=prefix + one.prompt) for one in _requests(tiny_model)]
    assert shared_prefix([request.prompt for request in requests]) >= shared
    found = generate(engine, requests)
    stopped = 0
    for request, answer in zip(requests, found, strict=True):
        ids = torch.tensor([request.prompt])
        whole = engine.model.generate(
            ids, attention_mask=torch.ones_like(ids), do_sample=False, pad_token_id=0,
            max_new_tokens=request.max_new_tokens, eos_token_id=list(request.stop_ids),
        )  # fmt: skip
        expected = whole[0, len(request.prompt) :].tolist()
        if expected[-1] in request.stop_ids:
            expected = expected[:-1]
            stopped += 1
            assert answer.stopped
        assert list(answer.output) == expected
    assert stopped < len(requests)
    assert stopped or shared  # the longer prompts happen to be cut


def test_the_logprob_is_that_of_a_teacher_forced_pass(engine: Engine, tiny_model: Path) -> None:
    requests = _requests(tiny_model, 12)
    for request, answer in zip(requests, generate(engine, requests), strict=True):
        ids = [*request.prompt, *answer.output]
        logits = engine.model(torch.tensor([ids])).logits[0].detach().log_softmax(-1)
        expected = sum(
            float(logits[place - 1, ids[place]]) for place in range(len(request.prompt), len(ids))
        )
        if answer.stopped:
            best = int(logits[-1].argmax())
            assert best in request.stop_ids
            expected += float(logits[-1, best])
        assert answer.logprob == pytest.approx(expected, abs=1e-4)


def test_nan_logits_are_an_error_not_an_answer(tiny_model: Path) -> None:
    model = load_model(tiny_model)
    model.model.norm.weight.data[0] = float("nan")
    with pytest.raises(FloatingPointError, match="NaN"):
        generate(Engine(model, 0), _requests(tiny_model, 3))
