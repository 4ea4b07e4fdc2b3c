"""Learning by reward: prompts, batches, loss, samples, and whether it is learnt."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from train.recipe import TrainSection
from train.reporter import Silent
from workspace.errors import DataError, LimitExceeded, Stopped, TemperError
from workspace.jobs import run_job

GOLDEN = Path(__file__).with_name("golden_losses.json")
WORDS = ["card", "refund", "order", "late", "broken", "happy", "angry", "login", "password", "plan"]
ANY_CARD = {"kind": "format", "pattern": "card.*", "name": "card"}
METHOD = {
    "kind": "grpo",
    "rewards": ["contains"],
    "num_generations": 4,
    "max_new_tokens": 8,
}
GRPO = {
    "method": METHOD,
    "replay": None,
    "adapter": {"kind": "full"},
    "batch_size": 4,
    "steps": 4,
}


def ask(number: int, **changes: Any) -> dict[str, Any]:
    """A prompt of two words; the first is the answer."""
    first, second = WORDS[number % 10], WORDS[(number // 10 + number + 1) % 10]
    return {
        "id": f"ask-{number}",
        "prompt": [{"role": "user", "content": f"{first} {second}"}],
        "answer": first,
        "meta": {"source": "asks.jsonl", "row": number},
        **changes,
    }


@pytest.fixture
def asks(bench: Any) -> Any:
    """The bench with questions whose answers can be verified."""
    bench.dataset("toy", [ask(number) for number in range(24)])
    return bench


def method(**changes: Any) -> dict[str, Any]:
    return {**GRPO, "method": {**METHOD, **changes}}


def events(bench: Any) -> list[dict[str, Any]]:
    (file,) = bench.workspace.jobs.glob("*/events.jsonl")
    return [json.loads(line) for line in file.read_text().splitlines()]


def metrics(bench: Any) -> list[dict[str, Any]]:
    return [event for event in events(bench) if event["kind"] == "metrics"]


def test_it(asks, losses):
    import time
    t=time.time()
    run = asks.train(GRPO)
    print(losses(run), time.time()-t)
    for e in events(asks): print(e)
    print(pq.read_table(run/"samples.parquet").to_pylist()[:2])
    print((run/"proof.json").read_text()[-900:])
