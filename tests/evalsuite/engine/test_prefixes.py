"""What prompts begin with alike is read once, and no answer changes by it."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    Lfm2Config,
    Lfm2ForCausalLM,
    MambaConfig,
    MambaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
)

from evalsuite.engine.batching import BatchLimits, common_stem, plan_batches
from evalsuite.engine.forward import Engine
from evalsuite.engine.prefixes import families, shared_prefix
from evalsuite.engine.requests import (
    ChoiceAnswer,
    ChoiceRequest,
    GenerateRequest,
    Generation,
    Request,
    TextRequest,
)
from evalsuite.engine.run import Pass, ask
from evalsuite.models.load import load_model

SMALL = BatchLimits(rows=12)


@pytest.fixture(scope="module")
def engine(tiny_model: Path) -> Engine:
    torch.set_num_threads(1)
    return Engine(load_model(tiny_model), pad_id=0)


def _few_shot(rng: random.Random, *, passages: int = 4, each: int = 5) -> list[tuple[int, ...]]:
    """Prompts of 40 examples' tokens, then a passage, then a question, in no order."""
    examples = _ids(rng, 40)
    told = [_ids(rng, rng.randint(60, 90)) for _ in range(passages)]
    asked = [(*examples, *passage, *_ids(rng, rng.randint(1, 9))) for passage in told * each]
    rng.shuffle(asked)
    return asked


def _ids(rng: random.Random, count: int) -> tuple[int, ...]:
    return tuple(rng.choices(range(3, 99), k=count))


def _both_kinds(prompts: Sequence[tuple[int, ...]], rng: random.Random) -> list[list[Request]]:
    choices: list[Request] = [
        ChoiceRequest(prompt, tuple(_ids(rng, rng.choice([1, 1, 3])) for _ in range(3)))
        for prompt in prompts
    ]
    return [choices, [GenerateRequest(prompt, 5, (2, 70)) for prompt in prompts]]


@contextmanager
def _tokens_read(model: Any) -> Iterator[list[int]]:
    """Count the positions that pass through the model."""
    read: list[int] = []
    hook = model.register_forward_pre_hook(
        lambda module, args, kwargs: read.append(kwargs["input_ids"].numel()), with_kwargs=True
    )
    yield read
    hook.remove()


def _one_by_one(engine: Engine, requests: Sequence[Request]) -> list[Any]:
    return [ask(engine, Pass.plan([request], SMALL)).answers[0] for request in requests]


def _assert_alike(found: Sequence[Any], expected: Sequence[Any]) -> None:
    for one, other in zip(found, expected, strict=True):
        if isinstance(other, ChoiceAnswer):
            assert one.logprobs == pytest.approx(other.logprobs, abs=1e-5)
            assert one.greedy == other.greedy
        else:
            assert isinstance(other, Generation)
            assert one.output == other.output
            assert one.logprob == pytest.approx(other.logprob, abs=1e-5)


def test_sharing_spares_most_of_the_reading_and_changes_no_answer(engine: Engine) -> None:
    rng = random.Random(3)
    for requests in _both_kinds(_few_shot(rng), rng):
        asked = Pass.plan(requests, SMALL)
        assert len(asked.stem) == 40
        with _tokens_read(engine.model) as read:
            found = ask(engine, asked).answers
        with _tokens_read(engine.model) as plain:
            expected = _one_by_one(engine, requests)
        _assert_alike(found, expected)
        assert sum(read) < 0.4 * sum(plain)


def test_the_stem_is_read_once_for_all_batches(engine: Engine) -> None:
    rng = random.Random(4)
    beginning = _ids(rng, 200)
    requests = [GenerateRequest((*beginning, *_ids(rng, 4)), 1, (2,)) for _ in range(24)]
    asked = Pass.plan(requests, BatchLimits(rows=4))
    assert len(asked.batches) == 6
    with _tokens_read(engine.model) as read:
        ask(engine, asked)
    assert sum(read) == 200 + 24 * 4


def test_a_stem_is_never_another_models(tiny_model: Path, engine: Engine) -> None:
    rng = random.Random(5)
    requests = _both_kinds(_few_shot(rng), rng)[0]
    asked = Pass.plan(requests, SMALL)
    other = load_model(tiny_model)
    with torch.no_grad():
        other.model.layers[0].self_attn.v_proj.weight.mul_(2.0)
    first = ask(engine, asked).answers
    changed = ask(Engine(other, 0), asked).answers
    assert changed != first
    _assert_alike(changed, _one_by_one(Engine(other, 0), requests))


def test_answers_do_not_depend_on_which_batches_were_answered_before(engine: Engine) -> None:
    rng = random.Random(6)
    requests = _both_kinds(_few_shot(rng), rng)[0]
    whole, part = Pass.plan(requests, SMALL), Pass.plan(requests, SMALL)
    part.batches = list(reversed(part.batches))
    one, other = ask(engine, whole).answers, ask(engine, part).answers
    assert [replace(a, seconds=0) for a in one] == [replace(a, seconds=0) for a in other]


def test_questions_on_one_passage_share_batches_and_the_stem_is_in_the_key() -> None:
    rng = random.Random(7)
    requests = _both_kinds(_few_shot(rng, passages=3, each=4), rng)[0]
    stem = common_stem(requests)
    batches = plan_batches(requests, SMALL, len(stem))
    for batch in batches:
        prompts = [requests[index].begins for index in batch.indices]
        assert shared_prefix(prompts) >= 100
    assert {batch.key for batch in batches}.isdisjoint(
        batch.key for batch in plan_batches(requests, SMALL)
    )
    first, second = batches[0].halves(requests)
    assert first.stem == second.stem == 40
    assert common_stem([*requests, TextRequest((5, 6), 2, 9)]) == ()


def test_families_are_told_apart_where_they_share_too_little() -> None:
    passage, other = (7,) * 40, (8,) * 40
    prompts = [(*passage, 1, 2), (*other, 5), (*passage, 1, 3), (*passage[:20], *other)]
    found = families(prompts, 0, 0.5)
    assert [(family.members, family.length) for family in found] == [
        ((0, 2), 41), ((3,), 59), ((1,), 40)
    ]  # fmt: skip
    assert [family.members for family in families(prompts, 20, 0.5)] == [(0,), (2,), (3,), (1,)]


COMMON: dict[str, Any] = {
    "vocab_size": 100, "hidden_size": 16, "num_hidden_layers": 2, "pad_token_id": 0,
}  # fmt: skip
HEADS: dict[str, Any] = {
    "intermediate_size": 32, "num_attention_heads": 2, "num_key_value_heads": 1,
}  # fmt: skip


@pytest.mark.parametrize(
    ("made", "selects"),
    [
        (lambda: MistralForCausalLM(MistralConfig(**COMMON, **HEADS, sliding_window=8)), True),
        (lambda: MambaForCausalLM(MambaConfig(**COMMON, state_size=4)), False),
        (
            lambda: Lfm2ForCausalLM(
                Lfm2Config(**COMMON, **HEADS, layer_types=["conv", "full_attention"])
            ),
            False,
        ),
    ],
    ids=["sliding window", "recurrent", "hybrid"],
)
def test_windows_and_recurrent_states_are_read_without_sharing(made: Any, selects: bool) -> None:
    torch.manual_seed(0)
    model = made().eval()
    engine = Engine(model, 0)
    assert (engine.selects_rows, engine.shares_prefixes) == (selects, False)
    rng = random.Random(8)
    for requests in _both_kinds(_few_shot(rng, passages=2, each=2), rng):
        found = ask(engine, Pass.plan(requests, SMALL)).answers
        for request, answer in zip(requests, found, strict=True):
            if isinstance(request, ChoiceRequest) and isinstance(answer, ChoiceAnswer):
                for choice, logprob in zip(request.choices, answer.logprobs, strict=True):
                    assert logprob == pytest.approx(_plain(model, request.prompt, choice), abs=1e-4)
            elif isinstance(request, GenerateRequest) and isinstance(answer, Generation):
                ids = list(request.prompt)
                for token in answer.output:
                    assert int(model(torch.tensor([ids])).logits[0, -1].argmax()) == token
                    ids.append(token)


@torch.no_grad()
def _plain(model: Any, prompt: Sequence[int], choice: Sequence[int]) -> float:
    ids = [*prompt, *choice]
    logits = model(torch.tensor([ids])).logits[0].log_softmax(-1)
    return sum(float(logits[p - 1, ids[p]]) for p in range(len(prompt), len(ids)))
