"""The GPUs that are compared."""

from __future__ import annotations

import pytest

from train.estimate.gpus import TABLE, compared, parse_gpu
from train.estimate.section import PlanSection
from workspace.errors import UsageError
from workspace.gpus import Gpu


def gpu(name: str, gib: float) -> Gpu:
    return Gpu(0, "GPU-1", name, int(gib * 2**30), int(gib * 2**30), 0)


def test_those_here_come_first_with_the_peak_of_their_kind_and_no_price() -> None:
    first, *rest = compared(None, (), (), [gpu("NVIDIA GeForce RTX 4090", 23.99)])
    assert first.is_here and first.tflops == 165 and first.price is None
    assert first.memory_gib == pytest.approx(23.99) and rest == list(TABLE)


@pytest.mark.parametrize(
    ("name", "gib", "tflops"),
    [
        ("NVIDIA A100-SXM4-80GB", 79.3, 312),
        ("NVIDIA A100-PCIE-40GB", 39.4, 312),
        ("NVIDIA H100 80GB HBM3", 79.6, 989),
        ("NVIDIA L4", 22.5, 121),
        ("NVIDIA GeForce RTX 4090 Laptop GPU", 16.0, None),
        ("Tesla T4", 15.0, None),
    ],
)
def test_the_drivers_name_is_recognised_or_left_without_a_peak(
    name: str, gib: float, tflops: float | None
) -> None:
    assert compared(None, (), (), [gpu(name, gib)])[0].tflops == tflops


def test_two_alike_are_compared_once() -> None:
    two = [gpu("NVIDIA L40S", 45.0), gpu("NVIDIA L40S", 45.0)]
    assert sum(one.is_here for one in compared(None, (), (), two)) == 1


def test_the_recipe_replaces_the_table_and_the_command_line_replaces_the_recipe() -> None:
    section = PlanSection.model_validate({"gpus": [{"name": "ours", "memory": 48, "price": 1}]})
    assert [one.name for one in compared(section, (), (), [])] == ["ours"]
    assert [one.name for one in compared(section, ("l4",), (), [])] == ["L4"]
    assert compared(PlanSection(), (), (), []) == list(TABLE)


def test_a_gpu_is_a_name_of_the_table_or_numbers() -> None:
    assert parse_gpu("h100").name == "H100 80GB"
    made = parse_gpu("My card:16:50:0.2")
    assert (made.memory_gib, made.tflops, made.price) == (16, 50, 0.2)
    assert parse_gpu("bare: 16").tflops is None


@pytest.mark.parametrize(
    "text", ["", "H10O", "A100", "x:", "x:0", "x:nan", "x:1:2:3:4", ":16", "x:-1", "x:inf"]
)
def test_what_is_no_gpu_is_refused_with_the_table(text: str) -> None:
    with pytest.raises(UsageError, match="no GPU") as caught:
        parse_gpu(text)
    assert "RTX 4090" in caught.value.cure


def test_prices_are_for_gpus_that_are_compared() -> None:
    priced = {one.name: one.price for one in compared(None, (), ("a100=1", "l4=0"), [])}
    assert priced["A100 40GB"] == priced["A100 80GB"] == 1 and priced["L4"] == 0
    with pytest.raises(UsageError, match="has this name"):
        compared(None, ("L4",), ("H100=2",), [])
    for text in ("L4", "L4=", "=2", "L4=-1", "L4=nan", "L4=x"):
        with pytest.raises(UsageError, match="no price"):
            compared(None, (), (text,), [])
