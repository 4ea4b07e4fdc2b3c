"""The built-in model as writer, answerer and judge: no endpoint, no network."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from curate.synth.recipe import Budget
from evalsuite.asking.backends.configs import LocalConfig
from evalsuite.asking.backends.local import LocalBackend
from evalsuite.asking.desk import Desk, RequestFailed
from evalsuite.asking.log import open_log
from evalsuite.asking.purse import Purse
from evalsuite.asking.requests import ChatRequest, Turn
from evalsuite.builtin.general import general_items
from workspace.errors import UsageError

SUMS = [
    {"prompt": item.prompt, "completion": item.answer}
    for item in islice((one for one in general_items(5, 400) if one.ability == "addition"), 12)
]


def table(result: Any, name: str) -> pl.DataFrame:
    return pl.read_parquet(result.path / f"{name}.parquet")


def drawn(directory: Path, requests: list[ChatRequest], **settings: Any) -> list[Any]:
    import asyncio

    async def run() -> list[Any]:
        backend = LocalBackend(LocalConfig(path="builtin", **settings), directory)
        with open_log(directory / "log") as log:
            desk = Desk(backend, log, Purse(Budget()))
            try:
                asks = (desk.ask(request) for request in requests)
                return await asyncio.gather(*asks, return_exceptions=True)
            finally:
                await backend.close()

    return asyncio.run(run())


def request(place: int, **changes: Any) -> ChatRequest:
    fields = {"temperature": 0.0, "top_p": 1.0, "max_tokens": 24, "seed": 7} | changes
    return ChatRequest((Turn("user", SUMS[place]["prompt"]),), **fields)


def test_greedy_answers_are_the_models_and_batches_do_not_change_them(tmp_path: Path) -> None:
    asks = [request(place) for place in range(12)]
    alone = drawn(tmp_path / "a", asks, batch_rows=1)
    together = drawn(tmp_path / "b", asks, batch_rows=5)
    texts = [reply.text for reply, _ in alone]
    assert texts == [reply.text for reply, _ in together]
    right = sum(row["completion"] in text for row, text in zip(SUMS, texts, strict=True))
    assert right >= 8  # the built-in model can add
    assert all(reply.finish == "stop" and reply.usage.input_tokens > 5 for reply, _ in alone)


def test_samples_differ_and_the_same_seed_draws_the_same(tmp_path: Path) -> None:
    asks = [request(0, temperature=1.9, sample=sample) for sample in range(8)]
    first = [reply.text for reply, _ in drawn(tmp_path / "a", asks, batch_rows=8)]
    second = [reply.text for reply, _ in drawn(tmp_path / "b", asks, batch_rows=8)]
    assert first == second and len(set(first)) > 1


def test_an_answer_that_does_not_end_is_cut(tmp_path: Path) -> None:
    ((reply, _),) = drawn(tmp_path, [request(0, max_tokens=1)])
    assert reply.cut and reply.usage.output_tokens == 1


def test_a_prompt_that_is_too_long_costs_only_its_row(tmp_path: Path) -> None:
    long = ChatRequest((Turn("user", "count " * 20_000),), 0.0, 1.0, 8, 1)
    refused, (reply, _) = drawn(tmp_path, [long, request(1)])
    assert isinstance(refused, RequestFailed) and "tokens of prompt" in str(refused)
    assert reply.text


def test_rejection_sampling_with_the_built_in_model(augment: Any) -> None:
    section = {
        "backend": "builtin",
        "generate": [{"rejection": {"scorer": "numeric", "samples": 3, "max_tokens": 24}}],
        "target": {"rows": 6},
    }
    rows = [
        {"prompt": row["prompt"], "completion": f"The result is {row['completion']}"}
        for row in SUMS
    ]
    result = augment(section, rows=rows)
    made = table(result, "made").filter("accepted")
    assert made.height == 6 and made["model"].n_unique() == 1
    assert len(made["model"][0]) == 64  # the digest of the weights
    assert made["cost"].sum() == 0.0 and made["output_tokens"].sum() > 0
    answers = dict(zip([row["prompt"] for row in rows], SUMS, strict=True))
    for question, answer in table(result, "train")["messages"]:
        assert answers[question["content"]]["completion"] in answer["content"]
    again = augment(section, rows=rows)
    assert again.existed and again.counts.answered == 0 and again.counts.remembered > 0


def test_noisy_questions_that_the_model_no_longer_answers_are_dropped(augment: Any) -> None:
    section = {
        "backend": {"path": "builtin", "price": {"input": 1.0, "output": 1.0}},
        "generate": [{"noise": {"kinds": ["typos"], "rate": 0.5, "per_row": 3}}],
        "verify": {"answers": {"scorer": "numeric", "max_tokens": 24}},
        "target": {"rows": 20},
    }
    result = augment(section, rows=SUMS)
    made = table(result, "made")
    assert made.filter("accepted").height > 0
    assert made.filter("accepted")["verified"].str.contains("numeric: 1.00").all()
    lost = made.filter(pl.col("reason") == "wrong_answer")
    assert lost.height > 0 and (lost["cost"] > 0).all()


def test_a_judge_that_cannot_judge_accepts_nothing(augment: Any) -> None:
    """The built-in model knows nothing of grades: its replies are no JSON."""
    from workspace.errors import WorkError

    section = {
        "backend": "builtin",
        "generate": ["noise"],
        "verify": {"judge": {"max_tokens": 16}},
        "target": {"rows": 4},
        "repairs": 0,
    }
    with pytest.raises(WorkError, match="no made row was accepted") as caught:
        augment(section, rows=SUMS)
    assert "not_checked" in caught.value.cause


def test_a_model_that_is_not_there_is_told_before_anything_is_made(augment: Any) -> None:
    section = {"backend": "./nowhere", "generate": ["paraphrase"], "target": {"rows": 4}}
    with pytest.raises(UsageError, match="nowhere"):
        augment(section, rows=SUMS)
