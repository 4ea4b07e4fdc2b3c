"""What must hold for continuous, clustered and corrected statistics."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from evalsuite.stats import membership, memorisation, multiplicity, power, proportions
from evalsuite.stats.calibration import calibration
from evalsuite.stats.choice import pick
from evalsuite.stats.clustered import clustered_mean
from evalsuite.stats.continuous import (
    paired_bootstrap,
    paired_mean,
    sign_flip_p,
    wilcoxon_p,
)
from evalsuite.stats.drift import drift, kl_estimates
from evalsuite.stats.forgetting import retention, transfer
from evalsuite.stats.perplexity import count_words

finite = st.floats(-10, 10, allow_nan=False).map(lambda value: round(value, 4))
samples = st.lists(finite, min_size=2, max_size=40)
p_values = st.lists(st.floats(0, 1), min_size=1, max_size=20)


@given(p_values)
def test_holm_keeps_the_order_and_lies_between_raw_and_bonferroni(p: list[float]) -> None:
    raw, adjusted = np.array(p), multiplicity.holm(p)
    assert (adjusted >= raw - 1e-12).all()
    assert (adjusted <= multiplicity.bonferroni(p) + 1e-12).all()
    assert (np.diff(adjusted[np.argsort(raw, kind="stable")]) >= -1e-12).all()
    assert (multiplicity.benjamini_hochberg(p) <= adjusted + 1e-12).all()


def test_corrections_of_nothing_are_nothing_and_nonsense_is_refused() -> None:
    assert multiplicity.holm([]).size == multiplicity.benjamini_hochberg([]).size == 0
    with pytest.raises(ValueError, match="between 0 and 1"):
        multiplicity.holm([0.5, float("nan")])


@settings(max_examples=60)
@given(samples)
def test_sign_flips_mirror_when_the_models_are_swapped(values: list[float]) -> None:
    d = np.array(values)
    assert sign_flip_p(d) == pytest.approx(sign_flip_p(-d), abs=0.03)
    assert sign_flip_p(d, alternative="less") == pytest.approx(
        sign_flip_p(-d, alternative="greater"), abs=0.03
    )
    assert 0 < sign_flip_p(d) <= 1


def test_sampled_sign_flips_agree_with_the_exact_ones_and_with_mcnemar() -> None:
    flips = np.array([-1.0] * 21 + [1.0] * 9 + [0.0] * 370)
    assert sign_flip_p(flips) == pytest.approx(0.0427739, abs=0.006)
    assert sign_flip_p(flips, alternative="less") == pytest.approx(0.0213870, abs=0.005)
    assert sign_flip_p(flips, seed=5) == sign_flip_p(flips, seed=5)


def test_sign_flips_of_clusters_count_each_cluster_once() -> None:
    d, labels = np.repeat([-0.1, -0.2, -0.3, -0.1], 50), np.repeat(list("abcd"), 50)
    assert sign_flip_p(d, alternative="less", clusters=labels) == 1 / 16
    assert sign_flip_p(d, alternative="less") < 0.001


@given(samples)
def test_without_clusters_the_t_interval_is_the_textbook_one(values: list[float]) -> None:
    got = clustered_mean(values)
    spread = float(np.std(values, ddof=1)) / math.sqrt(len(values))
    assert got.standard_error == pytest.approx(spread, abs=1e-9)
    assert got.interval().low <= got.mean <= got.interval().high
    if spread > 1e-6:
        low, high = stats.t.interval(0.95, len(values) - 1, got.mean, spread)
        assert got.interval().low == pytest.approx(low, rel=1e-6, abs=1e-9)
        assert got.interval().high == pytest.approx(high, rel=1e-6, abs=1e-9)


def test_repeating_every_item_does_not_narrow_a_clustered_interval() -> None:
    once = np.random.default_rng(0).normal(size=60)
    alone = clustered_mean(once)
    again = clustered_mean(np.repeat(once, 5), np.repeat(np.arange(60), 5))
    assert again.standard_error == pytest.approx(alone.standard_error)
    assert again.design_effect == pytest.approx(5.0)
    assert clustered_mean(np.repeat(once, 5)).standard_error < alone.standard_error / 2


def test_one_cluster_can_bound_nothing() -> None:
    got = clustered_mean([1.0, 0.0, 1.0], ["a", "a", "a"])
    assert got.interval()[:2] == (-math.inf, math.inf)
    assert got.p() == 1.0


def test_clustered_t_keeps_its_level_where_the_naive_one_does_not() -> None:
    draw, naive, right = np.random.default_rng(1), 0, 0
    labels = np.repeat(np.arange(40), 10)
    for _ in range(400):
        d = np.repeat(draw.normal(0, 0.7, 40), 10) + draw.normal(0, 1, 400)
        naive += 0 not in clustered_mean(d).interval()
        right += 0 not in clustered_mean(d, labels).interval()
    assert right / 400 == pytest.approx(0.05, abs=0.03)
    assert naive / 400 > 0.2


@settings(max_examples=30)
@given(samples)
def test_percentile_bootstrap_lies_within_the_data(values: list[float]) -> None:
    got = paired_bootstrap(values, resamples=500)
    assert min(values) - 1e-9 <= got.interval.low <= got.interval.high <= max(values) + 1e-9


def test_bca_and_percentile_agree_on_a_large_symmetric_sample() -> None:
    d = np.random.default_rng(0).normal(0.1, 1, 400)
    one, other = paired_bootstrap(d), paired_bootstrap(d, method="BCa")
    assert one.interval.low == pytest.approx(other.interval.low, abs=0.01)
    assert one.standard_error == pytest.approx(paired_mean(d).standard_error, rel=0.05)


def test_no_spread_is_told_and_not_divided_by() -> None:
    assert math.isnan(paired_mean([0.5, 0.5, 0.5]).t)
    assert paired_bootstrap([0.5, 0.5]).interval[:2] == (0.5, 0.5)
    assert wilcoxon_p([0.0, 0.0]) == sign_flip_p([0.0, 0.0]) == 1.0
    for bad in ([], [[1.0]], [float("nan")], [float("inf")]):
        with pytest.raises(ValueError, match="differences"):
            paired_mean(bad)


@given(st.floats(0.01, 1), st.floats(0.005, 0.5), st.booleans())
def test_effect_and_items_undo_each_other(variance: float, effect: float, both: bool) -> None:
    n = power.required_items(variance, effect, two_sided=both)
    found = power.minimum_detectable_effect(variance, n, two_sided=both)
    assert found == pytest.approx(effect, rel=1e-9)


@given(st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_and_exact_intervals_hold_the_share(row: tuple[int, int]) -> None:
    hits, n = row
    for interval in (proportions.wilson_interval, proportions.clopper_pearson_interval):
        got = interval(hits, n)
        assert 0 <= got.low <= hits / n + 1e-12
        assert hits / n - 1e-12 <= got.high <= 1


@given(st.lists(st.sampled_from([0.1, 0.2, 0.3, 0.4]), min_size=2, max_size=30), st.data())
def test_auc_counts_pairs_and_mirrors(members: list[float], data: st.DataObject) -> None:
    others = data.draw(st.lists(st.sampled_from([0.1, 0.2, 0.3, 0.4]), min_size=2, max_size=30))
    pos, neg = np.array(members), np.array(others)
    wins = (pos[:, None] > neg).astype(float) + 0.5 * (pos[:, None] == neg)
    by_hand = math.sqrt(wins.mean(1).var(ddof=1) / pos.size + wins.mean(0).var(ddof=1) / neg.size)
    got = membership.membership_auc(members, others)
    assert got.value == pytest.approx(float(wins.mean()))
    assert got.standard_error == pytest.approx(by_hand, abs=1e-12)
    assert membership.membership_auc(others, members).value == pytest.approx(1 - got.value)


def test_members_found_at_a_false_positive_rate() -> None:
    assert membership.true_positive_rate([5, 6, 1], range(5), 0.0) == pytest.approx(2 / 3)
    assert membership.true_positive_rate([5, 6, 1], range(5), 0.2) == pytest.approx(2 / 3)
    assert membership.true_positive_rate([5, 6, 1], range(5), 1.0) == 1.0


def test_short_answers_end_where_they_end() -> None:
    got = memorisation.extraction([[1, 2, 3, 4]], [[1, 2]])
    assert (got.verbatim, got.prefix, got.tokens) == (0.0, 0.5, 0.5)
    assert memorisation.extraction([[1, 2]], [[1, 2, 3]]).verbatim == 0.0
    assert memorisation.samples_to_extract(1.0, 0.5) == 1


distributions = st.lists(st.floats(0.01, 1), min_size=3, max_size=3).map(
    lambda values: np.array(values) / sum(values)
)


@given(distributions, distributions)
def test_drift_is_never_negative_and_zero_from_itself(p: np.ndarray, q: np.ndarray) -> None:
    got = drift(p, q)
    assert min(got.kl, got.reverse_kl, got.js, got.total_variation) >= -1e-12
    assert got.kl == pytest.approx(drift(q, p).reverse_kl)
    assert drift(p, p).kl == pytest.approx(0, abs=1e-12)
    assert got.js <= math.log(2)


def test_kl_estimates_approach_the_exact_figure() -> None:
    p, q = np.array([0.7, 0.2, 0.1]), np.array([0.5, 0.3, 0.2])
    tokens = np.random.default_rng(0).choice(3, size=200_000, p=p)
    got = kl_estimates(np.log(q / p)[tokens])
    assert got.k3 == pytest.approx(drift(p, q).kl, abs=0.002)
    assert got.k1 == pytest.approx(drift(p, q).kl, abs=0.005)


def test_retention_is_not_a_ratio_over_nothing() -> None:
    assert retention(0.26, 0.10, 0.25, base_standard_error=0.02) is None
    assert retention(0.25, 0.25, 0.25) is None
    assert retention(0.9, 0.45, 0.0, base_standard_error=0.02) == pytest.approx(0.5)
    with pytest.raises(ValueError, match="T × T"):
        transfer([[0.5]], [0.5])


def test_choices_of_one_empty_choices_and_nan_are_refused() -> None:
    with pytest.raises(ValueError, match="two choices"):
        pick([-1.0], ["yes"])
    with pytest.raises(ValueError, match="empty"):
        pick([-1.0, -2.0], ["yes", ""])
    with pytest.raises(ValueError, match="NaN"):
        pick([-1.0, math.nan], ["yes", "no"])
    assert pick([-1.0, -1.0], ["no", "ok"]).acc == 0
    assert count_words("a b\n c") == 3


def test_perfect_and_hopeless_certainty() -> None:
    assert calibration([1.0, 0.0], [1, 0]).nll == 0.0
    assert calibration([1.0, 0.0], [0, 1]).nll == math.inf
    assert calibration([1.0, 0.0], [0, 1]).ece == 1.0
