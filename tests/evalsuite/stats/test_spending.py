"""Levels of looks: they add up, and what is decided by them is right as often as was agreed."""

from __future__ import annotations

import pytest

from evalsuite.stats.spending import endless_level, look_levels
from tests.benches import bench_script


def test_levels_of_all_looks_are_alpha_and_the_last_is_the_largest() -> None:
    levels = look_levels(0.05, [500, 750, 1000])
    assert levels == pytest.approx([0.0125, 0.015625, 0.021875])
    assert sum(levels) == pytest.approx(0.05)
    assert look_levels(0.05, [500]) == [0.05]


@pytest.mark.parametrize("sizes", [[], [0, 5], [5, 5], [9, 5]])
def test_sizes_that_do_not_ascend_are_refused(sizes: list[int]) -> None:
    with pytest.raises(ValueError, match="sizes must ascend"):
        look_levels(0.05, sizes)


def test_endless_looks_never_spend_more_than_alpha() -> None:
    assert sum(endless_level(0.05, look) for look in range(1, 2000)) < 0.05
    with pytest.raises(ValueError, match="look"):
        endless_level(0.05, 0)


@pytest.mark.parametrize("looks", [False, True], ids=["one look", "three looks"])
def test_the_gate_is_right_as_often_as_agreed_at_the_shipped_sizes(looks: bool) -> None:
    """Fewer draws of bench/stats.py; the bounds allow twice the simulation's standard error."""
    bench = bench_script("stats")
    plan = bench.shipped(looks)
    assert plan.margin == 0.05 and plan.sizes[-1] == 1000
    assert sum(plan.levels) == pytest.approx(0.05)
    honest = bench.simulate(plan, bench.honest(0.10), 25)
    assert honest.passed >= 0.9 - 2 * honest.error(0.9)
    assert honest.failed <= 0.05
    guilty = bench.simulate(plan, bench.guilty(0.10, plan.margin), 150, seed=5)
    assert guilty.passed <= 0.05 + 2 * guilty.error(0.05)
    assert guilty.failed > 0.25
    if looks:
        assert honest.items < 0.7 * plan.sizes[-1]


def test_five_hundred_items_would_not_be_enough_for_one_item_in_ten_flipping() -> None:
    bench = bench_script("stats")
    plan = bench.Plan((500,), (0.05,))
    assert bench.simulate(plan, bench.honest(0.10), 60).passed < 0.9


@pytest.mark.slow
def test_the_gate_is_right_with_clusters_too() -> None:
    bench = bench_script("stats")
    plan = bench.shipped(looks=True)
    honest = bench.simulate(plan, bench.honest(0.10, clustered=True), 60)
    assert honest.passed >= 0.9 - 2 * honest.error(0.9)
    guilty = bench.simulate(plan, bench.guilty(0.10, plan.margin, clustered=True), 400, seed=5)
    assert guilty.passed <= 0.05 + 2 * guilty.error(0.05)


def test_a_paired_test_sees_what_an_unpaired_one_cannot() -> None:
    power = bench_script("stats").power(2_000)
    assert power["unpaired z"] == pytest.approx(0.006, abs=0.01)
    assert power["McNemar exact"] == pytest.approx(0.515, abs=0.04)
    assert power["McNemar mid-p"] == pytest.approx(0.588, abs=0.04)
