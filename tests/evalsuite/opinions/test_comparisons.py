"""Base against tuned in both orders: scores, win rates, and what is told of the judge."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evalsuite.engine.pairing import pair_abilities
from evalsuite.gate import judge
from evalsuite.opinions.stage import with_opinions
from evalsuite.stats.length_control import length_controlled
from evalsuite.tasks import LoadedSuite
from tests.curate.synth.conftest import Served
from tests.evalsuite.opinions.conftest import SuiteMaker, answers, asked, preferring, section


def scored(suite: LoadedSuite, samples: Any, directory: Path) -> Any:
    return with_opinions([suite], samples, directory / "kept", lambda what: None)


def values(judged: Any, model: str) -> list[float]:
    return [one.score for one in judged.samples[model]["mine", "tone"]]


def by_points(first: str, second: str) -> str:
    """Prefer what has more points; a judge that sees `first` likes what comes first."""
    if "likes first" in (first, second):
        return "first"
    points = [int(re.sub(r"\D", "", text) or 0) for text in (first, second)]
    return "neither" if points[0] == points[1] else "first" if points[0] > points[1] else "second"


def test_the_tuned_score_is_its_win_rate_and_the_bases_is_one_half(
    suite_of: SuiteMaker, served: Served, tmp_path: Path
) -> None:
    served.script.answer = preferring(by_points)
    suite = suite_of({"kind": "pairwise"}, rows=6)
    base = ["1 point", "2", "3", "likes first", "5", "same"]
    tuned = ["2 points", "1", "3 as well", "4", "6", "same "]
    judged = scored(suite, answers(suite, base=base, tuned=tuned, other=base), tmp_path)
    assert values(judged, "base") == [0.5] * 6
    assert values(judged, "tuned") == [1.0, 0.0, 0.5, 0.5, 1.0, 0.5]
    assert values(judged, "other") == [0.5] * 6
    # five pairs that differ, two orders each; equal texts are a tie that nobody is asked about
    assert len(served.script.requests) == 10
    tuned_rate, other_rate = judged.win_rates
    assert (tuned_rate.wins, tuned_rate.ties, tuned_rate.losses) == (2, 3, 1)
    assert (tuned_rate.rate, tuned_rate.n, tuned_rate.alike) == (pytest.approx(3.5 / 6), 6, 1)
    # of five pairs asked, one was won by whatever came first
    assert tuned_rate.consistency == pytest.approx(4 / 5)
    assert tuned_rate.first_position_bias == pytest.approx(1 / 5)
    assert tuned_rate.sign_p == 1.0
    assert other_rate.consistency is None and other_rate.rate == 0.5
    # mean ± t(5)·s/√6 of the scores
    spread = 2.570582 * np.std([1, 0, 0.5, 0.5, 1, 0.5], ddof=1) / math.sqrt(6)
    assert tuned_rate.low == pytest.approx(3.5 / 6 - spread, abs=1e-5)
    assert tuned_rate.high == pytest.approx(min(1.0, 3.5 / 6 + spread), abs=1e-5)
    (ability,) = pair_abilities([suite], judged.samples["base"], judged.samples["tuned"])
    result = judge([ability]).abilities[0]
    assert result.difference == pytest.approx(3.5 / 6 - 0.5)
    assert (result.low, result.base) == (pytest.approx(tuned_rate.low - 0.5, abs=1e-9), 0.5)
    assert ability.chance is None and result.retention is None


def test_a_judge_that_goes_by_position_finds_no_difference(
    suite_of: SuiteMaker, served: Served, tmp_path: Path
) -> None:
    served.script.answer = preferring(lambda first, second: "first")
    suite = suite_of({"kind": "pairwise"}, rows=4)
    given = answers(suite, base=["a", "b", "c", "d"], tuned=["e", "f", "g", "h"])
    judged = scored(suite, given, tmp_path)
    assert values(judged, "tuned") == [0.5] * 4
    (rate,) = judged.win_rates
    assert (rate.consistency, rate.first_position_bias) == (0.0, 1.0)
    assert (rate.wins, rate.losses, rate.rate) == (0, 0, 0.5)


def test_a_verdict_that_is_none_leaves_no_score(
    suite_of: SuiteMaker, served: Served, tmp_path: Path
) -> None:
    def sometimes(body: Any) -> str:
        strange = "strange" in section(asked(body), "SECOND ANSWER")
        return "both are fine" if strange else '{"better": "first"}'

    served.script.answer = sometimes
    suite = suite_of({"kind": "pairwise", "most_ungraded": 0.4}, rows=3)
    given = answers(suite, base=["a", "b", "c"], tuned=["d", "strange", "f"])
    judged = scored(suite, given, tmp_path)
    assert np.isnan(values(judged, "tuned")).tolist() == [False, True, False]
    assert judged.judges[0].ungraded == 1
    assert "no verdict" in judged.judges[0].problem
    (ability,) = pair_abilities([suite], judged.samples["base"], judged.samples["tuned"])
    assert (ability.state, len(ability.item_ids)) == ("measured", 2)


def test_clusters_widen_the_win_rates_interval(
    suite_of: SuiteMaker, served: Served, tmp_path: Path
) -> None:
    served.script.answer = preferring(by_points)
    base, tuned = ["base"] * 12, ["1 x", "1 x", "0", "0"] * 3  # clusters of two
    rates = []
    for place, fields in (("plain", {}), ("clustered", {"cluster": "topic"})):
        suite = suite_of({"kind": "pairwise"}, rows=12, **fields)
        given = answers(suite, base=base, tuned=tuned)
        rates += scored(suite, given, tmp_path / place).win_rates
    plain, clustered = rates
    assert plain.rate == clustered.rate == pytest.approx(0.75)
    assert clustered.high - clustered.low > 1.2 * (plain.high - plain.low)


def test_people_and_judge_are_compared_on_pairs(
    suite_of: SuiteMaker, served: Served, tmp_path: Path
) -> None:
    served.script.answer = preferring(by_points)
    labels = {
        0: [
            {"one": "2", "other": "1", "better": "one"},
            {"one": "1", "other": "2", "better": "other"},
            {"one": "1", "other": "2", "better": "one"},
        ],
        1: [{"one": "1", "other": "1 again", "better": "neither"}],
    }
    suite = suite_of({"kind": "pairwise"}, rows=2, human=labels)
    given = answers(suite, base=["1", "2"], tuned=["2", "3"])
    (record,) = scored(suite, given, tmp_path).judges
    # judge: one, other, other, neither ; people: one, other, one, neither
    # observed 3/4; expected (1·2 + 1·1 + 2·1)/16 = 5/16
    assert (record.human_labels, record.agreement) == (4, 0.75)
    assert record.kappa == pytest.approx((3 / 4 - 5 / 16) / (1 - 5 / 16))


def test_length_alone_does_not_win_at_equal_length() -> None:
    draw = np.random.default_rng(0)
    longer = draw.normal(80, 100, 3000)
    chance = 1 / (1 + np.exp(-2.0 * np.tanh(longer / longer.std())))
    wins = (draw.random(3000) < chance).astype(float)
    found = length_controlled(wins, longer, np.zeros(3000))
    assert wins.mean() > 0.66
    assert found.rate == pytest.approx(0.5, abs=0.03)
    assert found.interval.low < 0.5 < found.interval.high
    assert found.length_effect == pytest.approx(2.0, abs=0.25)


def test_the_coefficients_are_those_of_an_independent_fit() -> None:
    from scipy.optimize import minimize

    scores = np.array([1, 0.5, 0, 1, 0.75, 0.25, 1, 0])
    lengths, others = np.array([9, 5, 2, 8, 7, 3, 4, 6]), np.full(8, 5)
    moved = np.tanh((lengths - others) / (lengths - others).std())

    def loss(at: Any) -> float:
        logits = at[0] + at[1] * moved
        fit = np.logaddexp(0, logits) - scores * logits
        return float(fit.sum() + (at**2).sum() / 200)

    wanted = minimize(loss, np.zeros(2), tol=1e-12).x
    found = length_controlled(scores, lengths, others)
    assert found.rate == pytest.approx(1 / (1 + math.exp(-wanted[0])), abs=1e-6)
    assert found.length_effect == pytest.approx(wanted[1], abs=1e-5)


def test_one_side_winning_everything_keeps_the_rate_finite() -> None:
    found = length_controlled(np.ones(40), np.arange(40), np.zeros(40))
    assert 0.97 < found.rate < 1.0
    alike = length_controlled([0.5, 0.5, 0.5], [3, 3, 3], [3, 3, 3])
    assert (alike.rate, alike.length_effect) == (0.5, 0.0)
    with pytest.raises(ValueError, match="at least two pairs"):
        length_controlled([1.0], [3], [3])
