"""bench/train.py: what it says of the measured times."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from tests.benches import BENCH, bench_script


@pytest.fixture(scope="module")
def bench_train() -> Any:
    return bench_script("train")


@pytest.mark.parametrize(
    ("low", "high", "apart", "verdict"),
    [
        (-0.01, 0.03, 0.0, "kept"),
        (-0.04, 0.031, 0.0, "undecided"),
        (0.03, 0.05, 0.0, "undecided"),
        (0.031, 0.05, 0.0, "missed"),
        (-0.01, 0.01, 2e-5, "missed"),
    ],
)
def test_the_whole_interval_decides_and_losses_must_be_equal(
    bench_train: Any, low: float, high: float, apart: float, verdict: str
) -> None:
    assert bench_train.verdict((low, high), apart) == verdict


def test_a_step_is_compared_with_itself(bench_train: Any) -> None:
    ours = bench_train.Run([1.0, 0.5], [2.0, 11.0, 5.0], [4.0, 4.0, 4.0], 0.0, 0)
    plain = bench_train.Run([1.0, 0.4], [1.0, 10.0, 5.0], [2.0, 4.0, 4.0], 0.0, 0)
    pair = bench_train.Pair(ours, plain)
    assert pair.overhead("cpu") == pytest.approx(0.1)
    assert pair.overhead("wall") == pytest.approx(0.0)
    assert pair.losses_apart == pytest.approx(0.1)


def test_the_interval_of_seven_pairs_is_from_the_least_to_the_largest(bench_train: Any) -> None:
    low, high, coverage = bench_train.order_interval([0.3, 0.1, 0.7, 0.2, 0.5, 0.4, 0.6])
    assert (low, high) == (0.1, 0.7)
    assert coverage == pytest.approx(1 - 2 / 2**7)


@pytest.mark.parametrize("script", ["train", "plan_memory"])
def test_the_package_is_not_taken_for_the_script_beside_it(script: str) -> None:
    found = subprocess.run(
        [sys.executable, "-P", "-c", _IMPORTED, str(BENCH / f"{script}.py")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.split() == ["__init__.py"]


_IMPORTED = """
import runpy, sys
from pathlib import Path
runpy.run_path(sys.argv[1], run_name="bench")
import train.recipe
print(Path(train.__file__).name)
"""
