"""The gate refuses what was lost, passes what was kept, and says when it cannot tell."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import numpy as np
import pytest

from evalsuite.gate import enforce, judge, overall
from evalsuite.stats.comparison import compare
from evalsuite.stats.multiplicity import holm
from evalsuite.stats.paired import PairedCounts
from evalsuite.stats.paired_interval import tango_bound
from evalsuite.verdict import AbilityResult, Canary, PairedAbility, Verdict
from workspace.errors import EvaluationInvalid, GateFailed, GateInconclusive


def ability(
    name: str = "sums",
    *,
    kept: int = 460,
    lost: int = 10,
    gained: int = 10,
    wrong: int = 20,
    **terms: Any,
) -> PairedAbility:
    """An ability by how its items flipped; 500 of them unless told otherwise."""
    base = [1.0] * (kept + lost) + [0.0] * (gained + wrong)
    tuned = [1.0] * kept + [0.0] * lost + [1.0] * gained + [0.0] * wrong
    ids = [f"{name}-{index}" for index in range(len(base))]
    return PairedAbility(
        name=name,
        purpose=terms.pop("purpose", "retention"),
        base=base,
        tuned=tuned,
        item_ids=ids,
        **terms,
    )


def only(verdict: Verdict) -> AbilityResult:
    assert len(verdict.abilities) == 1
    return verdict.abilities[0]


def test_a_kept_ability_passes_with_the_change_that_could_have_been_seen() -> None:
    verdict = judge([ability()])
    result = only(verdict)
    assert (verdict.status, verdict.exit_code, result.verdict) == ("pass", 0, "pass")
    assert result.lower_bound == pytest.approx(
        tango_bound(PairedCounts(460, 10, 10, 20), 0.05, side="lower")
    )
    assert result.minimum_detectable_effect == pytest.approx(
        2.8015852 * math.sqrt(20 / 499) / math.sqrt(500), rel=1e-3
    )
    assert (result.negative_flips, result.positive_flips) == (10, 10)
    assert result.retention == pytest.approx(1.0)
    assert "smallest change this test would show is 2.5 points" in result.sentence
    assert "94.0\u202f% → 94.0\u202f% on 500 items" in result.sentence


def test_a_forgotten_ability_fails_and_is_named() -> None:
    verdict = judge([ability("sums"), ability("capitals", kept=60, lost=410)])
    assert (verdict.status, verdict.exit_code) == ("fail", 1)
    assert [result.verdict for result in verdict.abilities] == ["pass", "fail"]
    assert verdict.reasons[0].startswith("capitals: ")
    assert "of 2 abilities 1 lost, 1 kept" in verdict.headline


def test_a_certain_loss_as_large_as_the_margin_fails_before_the_margin_is_excluded() -> None:
    result = only(judge([ability(kept=440, lost=40, gained=10, wrong=10)]))
    assert result.difference == pytest.approx(-0.06)
    assert result.upper_bound is not None and result.upper_bound > -0.05
    assert result.verdict == "fail"
    assert "Holm-adjusted p < 0.001" in result.sentence


def test_a_certain_loss_below_the_margin_is_not_a_failure() -> None:
    result = only(judge([ability(kept=460, lost=15, gained=1, wrong=24)]))
    assert result.p is not None and result.p < 0.001
    assert result.verdict == "pass"


def test_between_the_two_it_is_undecided_and_says_how_many_items_it_takes() -> None:
    verdict = judge([ability(kept=430, lost=40, gained=20, wrong=10)])
    result = only(verdict)
    assert (verdict.status, verdict.exit_code, result.verdict) == (
        "inconclusive",
        3,
        "inconclusive",
    )
    assert result.items_needed is not None and result.items_needed > 500
    assert f"About {result.items_needed:,} items would decide it." in result.sentence


def test_holm_runs_over_the_retention_abilities_only() -> None:
    several = [ability(f"a{index}", lost=20 + index, kept=450 - index) for index in range(4)]
    verdict = judge([*several, ability("new", purpose="target", kept=0, lost=0, gained=480)])
    raw = [result.p or 0.0 for result in verdict.abilities[:4]]
    adjusted = [result.p_holm or 0.0 for result in verdict.abilities[:4]]
    assert adjusted == pytest.approx(holm(raw))
    assert min(adjusted) == pytest.approx(4 * min(raw))
    assert verdict.abilities[4].p_holm is None


def test_too_few_items_never_count_as_kept_but_a_proven_loss_still_fails() -> None:
    few = only(judge([ability(kept=90, lost=0, gained=0, wrong=10)]))
    assert (few.verdict, few.state) == ("inconclusive", "too_few")
    assert "100 items are fewer than the 500 agreed" in few.sentence
    assert few.items_needed == 500
    gone = only(judge([ability(kept=5, lost=90, gained=0, wrong=5)]))
    assert (gone.verdict, gone.state) == ("fail", "too_few")


@pytest.mark.parametrize("state", ["not_run", "error", "incompatible", "too_few"])
def test_what_was_not_measured_never_passes(state: Any) -> None:
    missing = PairedAbility("dates", "retention", state=state, detail="the server was down")
    verdict = judge([ability(), missing])
    assert verdict.status == "inconclusive"
    assert verdict.abilities[1].verdict == "not measured"
    assert verdict.abilities[1].state == state
    assert "the server was down. It does not count as kept." in verdict.abilities[1].sentence


def test_scores_that_are_not_numbers_are_an_error_and_not_a_zero() -> None:
    good = ability()
    base = np.asarray(good.base, dtype=float)
    base[7] = math.nan
    result = only(judge([dataclasses.replace(good, base=base)]))
    assert (result.verdict, result.state) == ("not measured", "error")
    assert "1 of 500 pairs" in result.sentence


def test_an_ability_the_base_never_had_cannot_be_kept() -> None:
    result = only(judge([ability(kept=0, lost=15, gained=15, wrong=470)]))
    assert result.verdict == "inconclusive"
    assert result.retention is None or result.retention == pytest.approx(1.0)
    assert "at chance itself" in result.sentence
    above_guessing = ability(kept=260, lost=5, gained=5, wrong=230, chance=0.5)
    assert only(judge([above_guessing])).verdict == "inconclusive"


def test_a_target_must_gain_more_than_the_smallest_gain_that_counts() -> None:
    def target(gained: int, **terms: Any) -> AbilityResult:
        row = ability(
            kept=100, lost=0, gained=gained, wrong=400 - gained, purpose="target", **terms
        )
        return only(judge([row]))

    assert target(100, min_gain=0.05).verdict == "pass"
    assert target(2, min_gain=0.05).verdict == "fail"
    assert target(28, min_gain=0.05).verdict == "inconclusive"
    assert target(28).verdict == "pass"
    assert target(0).verdict == "inconclusive"
    assert "a gain of more than 5 points is ruled out" in target(2, min_gain=0.05).sentence


def test_the_bound_that_decides_is_said_beside_the_interval() -> None:
    """The two-sided interval reaches beyond the gain that the one-sided bound rules out."""
    full = ability(kept=52, lost=0, gained=0, wrong=0, purpose="target", min_gain=0.05, min_items=5)
    result = only(judge([full]))
    assert result.verdict == "fail"
    assert result.high is not None and result.high > 0.05
    assert "ruled out (one-sided upper 95\u202f% bound +4.9 points)" in result.sentence
    assert "base is at the ceiling already (100.0\u202f%): take this target out" in result.sentence
    kept = only(judge([ability(pass_alpha=0.02)])).sentence
    assert "ruled out (one-sided lower 98\u202f% bound \u22122.0 points)" in kept


def test_a_target_with_room_to_gain_is_not_at_the_ceiling() -> None:
    few = ability(kept=100, lost=0, gained=2, wrong=398, purpose="target", min_gain=0.05)
    assert "ceiling" not in only(judge([few])).sentence


def test_a_failed_canary_withdraws_every_number() -> None:
    canaries = [
        Canary("template", "pass"),
        Canary("adapter is active", "fail", "logits are equal with and without it"),
    ]
    verdict = judge([ability(), ability("capitals", lost=300, kept=170)], canaries)
    assert (verdict.status, verdict.exit_code) == ("invalid", 5)
    assert all(result.difference is None for result in verdict.abilities)
    assert all(result.verdict == "not measured" for result in verdict.abilities)
    assert "adapter is active" in verdict.headline
    assert verdict.reasons == ("adapter is active: logits are equal with and without it",)


def test_nothing_measured_does_not_pass() -> None:
    assert judge([]).status == "inconclusive"
    assert overall([]) == "inconclusive"
    assert "what was forgotten is not known" in judge([]).reasons[0]


def test_targets_alone_do_not_pass_because_forgetting_was_not_measured() -> None:
    target = ability("triage", purpose="target", kept=0, lost=0, gained=480)
    verdict = judge([target])
    assert only(verdict).verdict == "pass"
    assert (verdict.status, verdict.exit_code) == ("inconclusive", 3)
    assert "what was forgotten is not known" in verdict.reasons[0]
    assert verdict.headline.endswith("what was forgotten was not measured.")
    assert judge([target, ability()]).status == "pass"


def test_items_of_one_cluster_share_their_luck() -> None:
    """Ten templates of fifty items, one of them lost whole: McNemar alone would be too sure."""
    base, tuned = np.ones(500), np.ones(500)
    tuned[:25] = 0
    labels = np.repeat(np.arange(20), 25)
    alone, together = compare(base, tuned), compare(base, tuned, labels)
    assert together.clusters == 20
    assert together.lower_bound < alone.lower_bound
    assert together.p_loss > 0.4 > 0.001 > alone.p_loss
    assert together.minimum_detectable_effect > 3 * alone.minimum_detectable_effect


def test_labels_that_are_all_different_change_nothing_and_one_for_all_bounds_nothing() -> None:
    pair = ability()
    ids = list(pair.item_ids)
    assert only(judge([dataclasses.replace(pair, clusters=ids)])) == only(judge([pair]))
    result = only(judge([dataclasses.replace(pair, clusters=["x"] * 500)]))
    assert result.verdict == "inconclusive"
    assert result.low is None
    assert "one cluster" in result.sentence


def test_scores_between_zero_and_one_are_judged_by_their_mean() -> None:
    draw = np.random.default_rng(0)
    base = draw.uniform(0.3, 0.9, 600)
    ids = [str(index) for index in range(600)]
    kept = PairedAbility("style", "retention", base, base + draw.normal(0, 0.02, 600), ids)
    lost = PairedAbility("form", "retention", base, base - draw.uniform(0, 0.2, 600), ids)
    verdict = judge([kept, lost])
    assert [result.verdict for result in verdict.abilities] == ["pass", "fail"]
    assert "sign-flip" in verdict.abilities[0].method


def test_no_limit_lies_beyond_100_points() -> None:
    """Ten clusters of which one gained a little less: t alone reaches above a gain of all."""
    base, tuned = [0.0] * 100, [1.0] * 94 + [0.0] * 6
    clusters = [f"c{item // 10}" for item in range(100)]
    for one, other, sign in ((base, tuned, 1), (tuned, base, -1)):
        found = compare(one, other, clusters)
        ends = sorted((sign * found.interval.low, sign * found.interval.high))
        assert 0 < ends[0] < 0.94 and ends[1] == 1
        assert -1 <= found.lower_bound < found.upper_bound <= 1
    rewards = compare([10 * x for x in base], [10 * x for x in tuned], clusters)
    assert rewards.interval.high > 10


def test_unchanged_scores_still_have_an_interval() -> None:
    same = [0.25, 0.75] * 300
    result = only(
        judge([PairedAbility("x", "retention", same, same, [str(i) for i in range(600)])])
    )
    assert result.low is not None and result.low < 0 < (result.high or 0)
    assert result.minimum_detectable_effect is not None
    assert result.minimum_detectable_effect > 0


def test_log_likelihoods_are_told_without_points() -> None:
    draw = np.random.default_rng(0)
    base = -draw.uniform(1, 3, 500)
    ids = [str(index) for index in range(500)]
    pair = PairedAbility(
        "wiki", "retention", base, base - 0.3 + draw.normal(0, 0.1, 500), ids, chance=None
    )
    result = only(judge([pair]))
    assert not result.bounded
    assert "points" not in result.sentence
    assert result.verdict == "fail"


def test_wrong_pairing_is_refused() -> None:
    with pytest.raises(ValueError, match="'sums'"):
        judge([ability(), ability()])
    with pytest.raises(ValueError, match="an item occurs twice: 'a'"):
        judge([PairedAbility("x", "retention", [1, 0], [1, 0], ["a", "a"])])
    with pytest.raises(ValueError, match="differ in length"):
        judge([PairedAbility("x", "retention", [1, 0], [1], ["a", "b"])])
    with pytest.raises(ValueError, match="out of range"):
        judge([ability(margin=-0.1)])


def test_exit_codes_are_raised_as_errors_with_the_headline() -> None:
    enforce(judge([ability()]))
    undecided = judge([ability(kept=430, lost=40, gained=20, wrong=10)])
    enforce(undecided, inconclusive="pass")
    with pytest.raises(GateInconclusive):
        enforce(undecided)
    with pytest.raises(GateFailed):
        enforce(undecided, inconclusive="fail")
    with pytest.raises(GateFailed, match="the one ability lost") as caught:
        enforce(judge([ability(kept=60, lost=410)]), inconclusive="pass")
    assert caught.value.exit_code == 1
    assert caught.value.cure.startswith("Against forgetting")
    with pytest.raises(EvaluationInvalid):
        enforce(judge([ability()], [Canary("noise floor", "fail")]), inconclusive="pass")


def test_a_verdict_is_plain_json_without_nan() -> None:
    rows = [
        ability(),
        PairedAbility("none", "retention", state="error", detail="x"),
        dataclasses.replace(ability("one cluster"), clusters=["x"] * 500),
    ]
    text = json.dumps(dataclasses.asdict(judge(rows)), allow_nan=False)
    assert json.loads(text)["exit_code"] == 3


def flipping(
    draw: np.random.Generator, name: str, lost: float, gained: float, n: int = 500
) -> PairedAbility:
    """Draw one ability whose items are lost and gained at these rates; the rest is right."""
    fate = draw.choice(3, size=n, p=[lost, gained, 1 - lost - gained])
    ids = [str(index) for index in range(n)]
    base, tuned = (fate != 1).astype(float), (fate != 0).astype(float)
    return PairedAbility(name, "retention", base, tuned, ids)


@pytest.mark.parametrize("total", [120, pytest.param(600, marks=pytest.mark.slow)])
def test_honest_models_pass_and_a_loss_of_the_margin_does_not(total: int) -> None:
    """Eight abilities of 500 items, margin 5 points; seeded evaluations."""
    draw = np.random.default_rng(20)
    honest, guilty = [], []
    for _ in range(total):
        rows = [flipping(draw, f"a{index}", 0.025, 0.025) for index in range(8)]
        honest.append(judge(rows).status)
        guilty.append(judge([*rows[:7], flipping(draw, "a7", 0.065, 0.015)]).status)
    assert honest.count("pass") / total >= 0.9
    assert honest.count("fail") / total <= 0.05
    noise = 2 * math.sqrt(0.05 * 0.95 / total)
    assert guilty.count("pass") / total <= 0.05 + noise
