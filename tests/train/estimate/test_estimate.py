"""Which GPU holds what, and what is advised."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from train.estimate.advice import misfit, span
from train.estimate.compute import Hours, Work
from train.estimate.estimate import Estimate, Question, estimate
from train.estimate.families import shape_of
from train.estimate.gpus import TABLE, GpuType
from train.estimate.ways import Demand, ways

SMALL = GpuType("small", 12, 50, None, is_here=True)
MIDDLE = GpuType("middle", 24, 100, 1.0)
HUGE = GpuType("huge", 400, 1000, 90.0)


def ask(config: Any, *gpus: GpuType, **options: Any) -> Estimate:
    shape = shape_of(config, "a model")
    assert shape is not None
    given = {"chosen": "lora", "batch_size": 32, "length": 2048, **options}
    question = Question(
        shape=shape,
        ways=ways(None, "adamw", "auto"),
        demand=Demand(),
        length_reason="given",
        **given,
    )
    return estimate(question, gpus or TABLE)


def test_eight_billion_on_the_table(configs: Any) -> None:
    found = ask(configs["llama-8b"])
    fits = {(one.gpu.name, one.way): one.fits for one in found.cells}
    assert fits["RTX 3090", "lora"] and fits["RTX 3090", "qlora"]
    assert not fits["H100 80GB", "full"] and fits["B200", "full"]
    assert len(found.cells) == 3 * len(TABLE)


def test_fewer_rows_at_once_are_tried_before_it_does_not_fit(configs: Any) -> None:
    small = GpuType("x", 14, 100, 1)
    wide = ask(configs["llama-8b"], small, micro_batch=8)
    (cell,) = [one for one in wide.cells if one.way == "qlora"]
    assert cell.fits and cell.micro_batch == 4
    assert cell.memory.total <= 14 * 2**30 < wide.planned(wide.question.ways[2]).total
    (full,) = [one for one in wide.cells if one.way == "full"]
    assert not full.fits and full.micro_batch == 1 and full.hours is None


@pytest.mark.parametrize(("length", "rows"), [(2048, 2), (100, 32), (128, 32), (5000, 1)])
def test_without_a_plan_a_micro_batch_is_filled_to_4096_tokens(
    configs: Any, length: int, rows: int
) -> None:
    assert ask(configs["llama-8b"], MIDDLE, length=length).question.wanted == rows


def test_the_gpu_here_is_advised_if_it_holds_the_way(configs: Any) -> None:
    own = replace(MIDDLE, is_here=True)
    text = ask(configs["llama-8b"], own, HUGE).recommendation
    assert text.startswith("LoRA on middle: 19.6 of 24.0 GiB, ")


def test_a_lighter_way_here_comes_before_another_gpu(configs: Any) -> None:
    text = ask(configs["llama-8b"], SMALL, HUGE).recommendation
    assert text.startswith("small does not hold LoRA (18.0 of 12.0 GiB); QLoRA on small: 9.7")


def test_else_the_least_expensive_that_holds_it(configs: Any) -> None:
    tiny = replace(SMALL, memory_gib=4)
    text = ask(configs["llama-8b"], tiny, HUGE, MIDDLE).recommendation
    assert "small does not hold LoRA" in text and "LoRA on middle" in text
    text = ask(configs["llama-8b"], MIDDLE, chosen="full").recommendation
    assert text.startswith("No GPU of these holds full training; the least expensive")
    text = ask(configs["llama-70b"], MIDDLE).recommendation
    assert text.startswith("No single GPU of these holds this model: the lightest way needs 44.")


def test_only_a_way_that_fits_on_no_gpu_here_is_a_misfit(configs: Any) -> None:
    cells = ask(configs["llama-8b"], SMALL, replace(MIDDLE, is_here=True)).cells
    assert misfit("lora", cells) is None
    lacking = misfit("full", cells)
    assert lacking is not None and lacking.gpu.name == "middle"
    assert misfit("full", ask(configs["llama-8b"], MIDDLE).cells) is None


def test_hours_and_money_are_those_of_the_plans_tokens(configs: Any) -> None:
    work = Work(10_000_000, 2048.0)
    whole = ask(configs["llama-8b"], MIDDLE, work=work).cells[1]
    million = ask(configs["llama-8b"], MIDDLE).cells[1]
    assert whole.hours is not None and million.hours is not None and whole.money is not None
    assert whole.hours.high == pytest.approx(10 * million.hours.high)
    assert whole.money == whole.hours  # a dollar an hour


def test_small_models_are_not_checkpointed_and_the_document_is_whole(configs: Any) -> None:
    config = {**configs["qwen2.5-0.5b"], "num_hidden_layers": 1, "vocab_size": 1000}
    document = ask(config, MIDDLE).as_dict()
    assert document["gpus"][0]["ways"]["lora"]["checkpointing"] is False
    big = ask(configs["llama-8b"], MIDDLE).as_dict()
    assert big["gpus"][0]["ways"]["lora"]["checkpointing"] is True
    assert big["trained"]["lora"] == 41_943_040 and big["time_is_for"] == "a million tokens"
    assert (
        sum(value for name, value in big["memory"]["lora"].items() if name != "total")
        == (big["memory"]["lora"]["total"])
    )


def test_ranges_have_two_figures() -> None:
    assert span(Hours(0.001, 0.002)) == "<0.01"
    assert span(Hours(1234.0, 5678.0)) == "1,200–5,700"
    assert span(Hours(0.123, 0.2)) == "0.12–0.2"
