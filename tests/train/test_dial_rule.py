"""Which point of the dial is taken: on made scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from evalsuite.verdict import PairedAbility
from train.dial.points import Point, find_point, parse_scales, plan_points
from train.dial.rule import Choice, Standing, choose, frontier, halves, standing
from workspace.errors import DataError, UsageError


def ability(
    name: str, gained: int, lost: int, n: int = 400, purpose: str = "retention", **terms: object
) -> PairedAbility:
    """An ability of which the base has half the items right; `gained` of the others are won."""
    base = np.arange(n) % 2
    tuned = base.copy()
    tuned[np.flatnonzero(base == 0)[:gained]] = 1
    tuned[np.flatnonzero(base == 1)[:lost]] = 0
    made = PairedAbility(
        name=name,
        purpose=purpose,  # type: ignore[arg-type]
        base=base,
        tuned=tuned,
        item_ids=[f"{name}-{number}" for number in range(n)],
        min_items=300,
        min_gain=0.05,
    )
    return replace(made, **terms)  # type: ignore[arg-type]


def at(gained: int, lost: int, n: int = 400) -> Standing:
    return standing(
        [
            ability("learn", gained, 0, n, "target"),
            ability("same", 0, 0, n),
            ability("lose", 0, lost, n),
        ]
    )


def chosen(points: dict[Point, Standing]) -> Choice:
    found = choose(points, points)
    assert isinstance(found, Choice)
    return found


def test_a_standing_tells_the_gain_and_the_ability_nearest_to_its_margin() -> None:
    one = at(100, 8)
    assert one.gain == pytest.approx(0.25) and one.target == pytest.approx(0.75)
    assert one.gain_low is not None and one.gain_low < 0.25 < (one.gain_high or 0)
    assert one.worst == "lose" and one.worst_change == pytest.approx(-0.02)
    assert one.kept_share == pytest.approx(0.48 / 0.5)
    assert one.keeps and not one.surely_loses and one.items == 1200


def test_margins_decide_which_ability_is_worst() -> None:
    """A loss of 4 points of 10 allowed is further from its margin than one of 2 of 3."""
    one = standing(
        [
            ability("learn", 100, 0, purpose="target"),
            ability("wide", 0, 16, margin=0.1),
            ability("narrow", 0, 8, margin=0.03),
        ]
    )
    assert one.worst == "narrow" and one.worst_margin == 0.03


def test_several_targets_count_alike_and_their_interval_is_that_of_a_mean() -> None:
    one = standing(
        [
            ability("a", 80, 0, purpose="target"),
            ability("b", 40, 0, purpose="target"),
            ability("kept", 0, 0),
        ]
    )
    assert one.gain == pytest.approx(0.15)
    ends = [(each.difference, each.low) for each in one.abilities[:2]]
    widths = [float(d or 0) - float(low or 0) for d, low in ends]
    assert one.gain_low == pytest.approx(0.15 - np.hypot(*widths) / 2)


def test_the_largest_gain_among_points_that_keep_everything_is_taken() -> None:
    points = {
        Point(0.2): at(20, 0),
        Point(0.4): at(60, 2),
        Point(0.6): at(90, 30),  # loses 7.5 points of 5 allowed
        Point(1.0): at(120, 100),
    }
    assert chosen(points).point == Point(0.4)


def test_a_loss_that_is_within_its_margin_by_estimate_only_is_not_shown_to_be_kept() -> None:
    one = at(90, 16)  # 4 points lost of 5 allowed: the lower bound lies beyond
    assert one.worst_change > -0.05 and not one.keeps and not one.surely_loses
    assert chosen({Point(0.4): at(60, 2), Point(0.6): one}).point == Point(0.4)


def test_of_equal_gains_the_one_that_changes_less_is_taken() -> None:
    points = {Point(0.4): at(60, 2), Point(0.6): at(60, 2), Point(0.8): at(60, 4)}
    assert chosen(points).point == Point(0.4)
    assert chosen({Point(0.4): at(60, 3), Point(1.0, 40): at(60, 1)}).point == Point(1.0, 40)


def test_it_is_said_why_no_point_is_recommended() -> None:
    assert choose({Point(1.0): at(0, 0)}, {}) == "nothing gained"
    assert choose({Point(1.0): at(100, 150), Point(0.5): at(50, 100)}, {}) == "lost"
    assert choose({Point(1.0): at(100, 150), Point(0.5): at(50, 16)}, {}) == "undecided"


def test_fewer_items_than_agreed_keep_nothing() -> None:
    few = [ability("learn", 10, 0, 40, "target"), ability("kept", 0, 0, 40)]
    assert not standing(few).keeps
    assert standing([replace(one, min_items=40, margin=0.2) for one in few]).keeps


def test_what_is_expected_is_told_on_the_half_that_did_not_choose() -> None:
    """Lucky items in the choosing half do not show in the other."""
    abilities = [ability("learn", 0, 0, purpose="target"), ability("kept", 0, 0)]
    cut = [halves(one) for one in abilities]
    lucky = replace(cut[0][0], tuned=np.ones_like(np.asarray(cut[0][0].base)))
    found = choose(
        {Point(0.5): standing([lucky, cut[1][0]])},
        {Point(0.5): standing([cut[0][1], cut[1][1]])},
    )
    assert isinstance(found, Choice)
    assert found.chosen_on.gain > 0.4 and found.expected.gain == 0.0


def test_the_halves_share_no_item_and_do_not_depend_on_the_order() -> None:
    whole = ability("kept", 10, 5, n=401, min_items=301)
    one, two = halves(whole)
    assert {len(one.item_ids), len(two.item_ids)} == {200, 201}
    assert set(one.item_ids) | set(two.item_ids) == set(whole.item_ids)
    assert not set(one.item_ids) & set(two.item_ids)
    assert one.min_items + two.min_items in (300, 301)
    scores = dict(zip(whole.item_ids, np.asarray(whole.tuned), strict=True))
    assert [scores[name] for name in one.item_ids] == np.asarray(one.tuned).tolist()

    def turned(values: Sequence[object]) -> list[object]:
        return list(values)[::-1]

    mirrored = replace(
        whole,
        base=turned(np.asarray(whole.base).tolist()),
        tuned=turned(np.asarray(whole.tuned).tolist()),
        item_ids=[str(name) for name in turned(whole.item_ids)],
    )
    assert set(halves(mirrored)[0].item_ids) == set(one.item_ids)


def test_clusters_stay_whole() -> None:
    labels = [f"cluster-{number // 7}" for number in range(400)]
    one, two = halves(replace(ability("kept", 0, 0), clusters=labels))
    assert one.clusters is not None and two.clusters is not None
    assert not set(one.clusters) & set(two.clusters)
    assert abs(len(one.item_ids) - len(two.item_ids)) <= 7


def test_an_ability_too_small_to_cut_is_refused() -> None:
    one, two = halves(ability("learn", 0, 0, 1, "target"))
    assert len(one.item_ids) + len(two.item_ids) == 1
    with pytest.raises(DataError, match="learn cannot be compared"):
        standing([min((one, two), key=lambda part: len(part.item_ids)), ability("kept", 0, 0)])


def test_the_frontier_has_the_points_that_no_other_beats() -> None:
    points = {
        Point(0.0): at(0, 0),
        Point(0.5): at(60, 4),
        Point(1.0): at(100, 40),
        Point(1.0, 20): at(50, 8),  # less gain and more loss than 0.5
    }
    assert frontier(points) == {Point(0.0), Point(0.5), Point(1.0)}


def test_base_and_tuned_are_always_measured() -> None:
    assert [one.name for one in plan_points((), (20, 40))] == [
        "0", "0.2", "0.4", "0.6", "0.8", "1", "step-20", "step-40",
    ]  # fmt: skip
    assert plan_points((0.3,), (), "0.45") == tuple(map(Point, (0.0, 0.3, 0.45, 1.0)))


@pytest.mark.parametrize("text", ["-0.1", "1.01", "nan", "inf", "half", "", "0.2,,0.4", "2"])
def test_a_scale_outside_its_range_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="from 0 to 1"):
        parse_scales(text)


def test_a_point_is_named_by_its_scale_or_step() -> None:
    assert find_point("0.50", ()) == Point(0.5) and find_point("step-40", (40,)) == Point(1, 40)
    for name in ("step-30", "step-", "step-4x"):
        with pytest.raises(UsageError, match="no such checkpoint") as caught:
            find_point(name, (40,))
        assert "step-40" in caught.value.cause
