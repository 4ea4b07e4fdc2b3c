"""vLLM in this process: a stand-in with its signatures, which the built-in model answers."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from pydantic import TypeAdapter, ValidationError

from evalsuite.asking.backends import vllm_needs
from evalsuite.asking.backends.configs import BackendConfig, LocalConfig, VllmConfig
from evalsuite.asking.backends.opening import open_backend
from evalsuite.asking.budget import Budget
from evalsuite.asking.desk import Desk, RequestFailed
from evalsuite.asking.forms import BadOutput, Form, ask_form
from evalsuite.asking.log import open_log
from evalsuite.asking.purse import Purse
from evalsuite.asking.requests import ChatRequest, Turn
from evalsuite.builtin.general import general_items
from workspace.errors import UsageError, WorkError
from workspace.gpus import Gpu

SUMS = [
    {"prompt": item.prompt, "completion": item.answer}
    for item in islice((one for one in general_items(5, 400) if one.ability == "addition"), 12)
]
GPU = Gpu(0, "GPU-1", "NVIDIA H100", 80 * 2**30, 80 * 2**30, 0)


@pytest.fixture
def vllm(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The stand-in, importable, with a GPU that the driver lists."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent / "stand_in"))
    monkeypatch.setattr(vllm_needs, "list_gpus", lambda: [GPU])
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    for name in ("ENABLE_V1_MULTIPROCESSING", "NO_USAGE_STATS", "LOGGING_LEVEL", "LOGGING_STREAM"):
        monkeypatch.setenv(f"VLLM_{name}", "")  # so that what is set meanwhile is undone
        monkeypatch.delenv(f"VLLM_{name}")
    import vllm

    yield vllm
    for name in [name for name in sys.modules if name.partition(".")[0] == "vllm"]:
        del sys.modules[name]


def drawn(config: Any, directory: Path, requests: list[ChatRequest]) -> list[Any]:
    async def run() -> list[Any]:
        backend = open_backend(config, directory)
        with open_log(directory / "log") as log:
            desk = Desk(backend, log, Purse(Budget()))
            try:
                asks = (desk.ask(request) for request in requests)
                return await asyncio.gather(*asks, return_exceptions=True)
            finally:
                await backend.close()

    return asyncio.run(run())


def ours(**settings: Any) -> VllmConfig:
    return VllmConfig(kind="vllm", path="builtin", **settings)


def request(place: int, **changes: Any) -> ChatRequest:
    fields = {"temperature": 0.0, "top_p": 1.0, "max_tokens": 24, "seed": 7} | changes
    return ChatRequest((Turn("user", SUMS[place]["prompt"]),), **fields)


def test_all_that_wait_are_answered_in_one_call_as_transformers_answers(
    tmp_path: Path, vllm: Any
) -> None:
    asks = [request(place) for place in range(12)]
    vllm.SIZES.clear()
    found = drawn(ours(max_model_len=200), tmp_path / "a", asks)
    assert vllm.SIZES == [12]
    known = drawn(LocalConfig(path="builtin"), tmp_path / "b", asks)
    assert [(reply.text, reply.usage, reply.finish) for reply, _ in found] == [
        (reply.text, reply.usage, reply.finish) for reply, _ in known
    ]
    assert {receipt.model for _, receipt in found} == {receipt.model for _, receipt in known}
    loaded = vllm.SETTINGS[-1]
    assert loaded["max_model_len"] == 200 and loaded["generation_config"] == "vllm"
    vllm.SIZES.clear()
    drawn(ours(batch_rows=5), tmp_path / "c", asks)
    assert vllm.SIZES == [5, 5, 2]


def test_seeds_samples_and_the_longest_answer_are_the_requests_own(
    tmp_path: Path, vllm: Any
) -> None:
    asks = [request(0, temperature=1.9, sample=sample) for sample in range(6)]
    first, second = (drawn(ours(), tmp_path / name, asks) for name in "ab")
    texts = [reply.text for reply, _ in first]
    assert texts == [reply.text for reply, _ in second] and len(set(texts)) > 1
    ((cut, _),) = drawn(ours(), tmp_path / "c", [request(0, max_tokens=1)])
    assert cut.cut and cut.usage.output_tokens == 1


def test_a_request_that_is_refused_costs_only_itself(tmp_path: Path, vllm: Any) -> None:
    bad = ChatRequest((Turn("user", vllm.REFUSED),), 0.0, 1.0, 8, 1)
    long = ChatRequest((Turn("user", "count " * 20_000),), 0.0, 1.0, 8, 1)
    replies = drawn(ours(), tmp_path, [request(0), bad, request(1), long, request(2)])
    assert isinstance(replies[1], RequestFailed) and "refused" in str(replies[1])
    assert isinstance(replies[3], RequestFailed) and "tokens of prompt" in str(replies[3])
    assert all(replies[place][0].text for place in (0, 2, 4))


class Pair(Form):
    question: str
    answer: str


@pytest.mark.parametrize("response_format", ["json_schema", "none"])
def test_replies_that_must_be_json_cannot_be_anything_else(
    tmp_path: Path, vllm: Any, response_format: Any
) -> None:
    class Words:
        def render(self, name: str, **fields: Any) -> str:
            return "Again."

    async def run() -> Pair:
        backend = open_backend(ours(response_format=response_format), tmp_path)
        with open_log(tmp_path / "log") as log:
            try:
                desk = Desk(backend, log, Purse(Budget()))
                return (await ask_form(desk, Words(), request(0), Pair, 0))[0]
            finally:
                await backend.close()

    if response_format == "none":  # the built-in model writes no JSON
        with pytest.raises(BadOutput):
            asyncio.run(run())
    else:
        assert asyncio.run(run()).answer == "some answer"


def rejection(**more: Any) -> dict[str, Any]:
    return {
        "backend": {"kind": "vllm", "path": "builtin", "batch_rows": 4},
        "generate": [{"rejection": {"scorer": "numeric", "samples": 2, "max_tokens": 24}}],
        "target": {"rows": 6},
        **more,
    }


ROWS = [{**row, "completion": f"The result is {row['completion']}"} for row in SUMS]


def test_what_a_broken_engine_answered_is_not_asked_again(
    augment: Any, vllm: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    vllm.SIZES.clear()
    monkeypatch.setattr(vllm, "FITS_NO_LONGER", 2)
    with pytest.raises(WorkError, match="vLLM broke while it answered"):
        augment(rejection(), rows=ROWS)
    assert vllm.SIZES == [4, 4]
    monkeypatch.setattr(vllm, "FITS_NO_LONGER", 0)
    result = augment(rejection(), rows=ROWS)
    made = pl.read_parquet(result.path / "made.parquet").filter("accepted")
    assert made.height == 6 and result.counts.remembered >= 8
    vllm.SIZES.clear()
    again = augment(rejection(), rows=ROWS)
    assert again.existed and again.counts.answered == 0 and vllm.SIZES == []


def test_the_budget_holds(augment: Any, vllm: Any) -> None:
    vllm.SIZES.clear()
    result = augment(rejection(budget={"requests": 5}), rows=ROWS)
    assert sum(vllm.SIZES) <= 5 and result.spent.requests <= 5
    assert any("budget" in note for note in result.notes)


def test_a_model_that_does_not_fit_is_told(tmp_path: Path, vllm: Any) -> None:
    (error,) = drawn(ours(gpu_memory_utilization=1.0), tmp_path, [request(0)])
    assert isinstance(error, WorkError) and "Free memory" in error.cause
    assert "gpu_memory_utilization" in error.cure


def missing(augment: Any) -> UsageError:
    """Return what is told of a recipe whose rows are not there either."""
    with pytest.raises(UsageError) as caught:
        augment(rejection(sources=[{"path": "nowhere.jsonl"}]))
    return caught.value


def test_a_missing_vllm_is_told_before_any_row_is_read(augment: Any) -> None:
    error = missing(augment)
    assert error.title == "vLLM is not installed"
    assert "pip install 'welltempered[vllm]'" in error.cure


def test_an_old_vllm_is_told(augment: Any, vllm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vllm_needs, "version", lambda name: "0.21.4")
    assert "It is 0.21.4; 0.22 or newer" in missing(augment).cause


@pytest.mark.parametrize("hidden", [False, True])
def test_a_machine_without_a_gpu_is_told(
    augment: Any, vllm: Any, monkeypatch: pytest.MonkeyPatch, hidden: bool
) -> None:
    if hidden:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    else:
        monkeypatch.setattr(vllm_needs, "list_gpus", lambda: [])
    assert missing(augment).title == "vLLM needs a GPU"


def test_only_kind_makes_it_vllm() -> None:
    read = TypeAdapter(BackendConfig).validate_python
    assert isinstance(read("builtin"), LocalConfig)
    assert isinstance(read({"path": "builtin"}), LocalConfig)
    assert isinstance(read({"kind": "vllm", "path": "builtin"}), VllmConfig)
    with pytest.raises(ValidationError, match="tensor_parallel"):
        read({"kind": "vllm", "path": "builtin", "tensor_parallel": 2})
