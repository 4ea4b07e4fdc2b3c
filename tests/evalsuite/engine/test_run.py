"""Batches by a token budget; memory that runs out costs time, not answers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from evalsuite.engine import run as engine_run
from evalsuite.engine.batching import BatchLimits, plan_batches
from evalsuite.engine.forward import Engine
from evalsuite.engine.generate import generate
from evalsuite.engine.requests import ChoiceRequest, GenerateRequest, Generation, Request
from evalsuite.engine.run import Pass, ask
from evalsuite.models.load import load_model
from workspace.errors import WorkError


def _requests(count: int = 30) -> list[GenerateRequest]:
    return [
        GenerateRequest(tuple(range(3, 4 + number % 17)), 1 + number % 5, (2,))
        for number in range(count)
    ]


def test_batches_keep_the_budget_and_hold_every_request_once() -> None:
    requests: list[Request] = [
        *_requests(), *(ChoiceRequest((5,) * length, ((1,), (2, 3))) for length in range(1, 12))
    ]  # fmt: skip
    limits = BatchLimits(tokens=64, rows=6)
    batches = plan_batches(requests, limits)
    assert sorted(index for batch in batches for index in batch.indices) == list(range(41))
    for batch in batches:
        members = [requests[index] for index in batch.indices]
        rows = sum(request.rows for request in members)
        assert len({request.kind for request in members}) == 1
        assert rows <= 6
        assert rows * max(request.size for request in members) <= 64 or len(members) == 1


def test_batches_depend_on_the_requests_not_on_their_order() -> None:
    requests = _requests()
    turned = list(reversed(requests))
    limits = BatchLimits(tokens=64, rows=6)
    assert [batch.key for batch in plan_batches(requests, limits)] == [
        batch.key for batch in plan_batches(turned, limits)
    ]


def test_a_batch_that_does_not_fit_is_halved_for_all_models_alike(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []

    def small_machine(engine: Engine, requests: Sequence[GenerateRequest]) -> list[Generation]:
        if len(requests) > 4:
            raise torch.OutOfMemoryError("CUDA out of memory")
        sizes.append(len(requests))
        return generate(engine, requests)

    engine = Engine(load_model(tiny_model), 0)
    whole = ask(engine, Pass.plan(_requests(), BatchLimits(rows=16)))
    monkeypatch.setitem(engine_run._RUNNERS, GenerateRequest.kind, small_machine)
    asked = Pass.plan(_requests(), BatchLimits(rows=16))
    found = ask(engine, asked)
    assert [answer.output for answer in found.answers if isinstance(answer, Generation)] == [
        answer.output for answer in whole.answers if isinstance(answer, Generation)
    ]
    assert asked.halvings > 0
    first = list(sizes)
    sizes.clear()
    ask(engine, asked)
    assert sizes == first


def test_one_item_that_does_not_fit_alone_is_an_error_with_a_way_out(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_memory(engine: Engine, requests: Sequence[GenerateRequest]) -> list[Generation]:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setitem(engine_run._RUNNERS, GenerateRequest.kind, no_memory)
    with pytest.raises(WorkError, match="does not fit in memory") as caught:
        ask(Engine(load_model(tiny_model), 0), Pass.plan(_requests(3), BatchLimits()))
    assert caught.value.cure
