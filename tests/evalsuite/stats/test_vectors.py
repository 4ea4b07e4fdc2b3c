"""Every number of `vectors.json`, computed apart from this code, comes out of a public function.

The file was made by a script of numpy and scipy alone, rounded to 6 or 10 decimals; tolerances
below are half a unit of the last decimal or 1e-9, whichever is larger.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats as scipy_stats

from evalsuite.stats import (
    calibration,
    choice,
    clustered,
    continuous,
    drift,
    forgetting,
    membership,
    memorisation,
    multiplicity,
    noninferiority,
    paired_interval,
    passk,
    perplexity,
    power,
    preference,
    proportions,
    sequential,
)
from evalsuite.stats.paired import PairedCounts, mcnemar

VECTORS: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parent / "vectors.json").read_text(encoding="utf-8")
)
TABLE = PairedCounts(both=259, base_only=21, tuned_only=9, neither=111)
TRAIN_BASE, TRAIN_TUNED = [2.10, 2.30, 1.90, 2.20, 2.00], [0.90, 1.00, 0.80, 1.10, 0.70]
HELD_BASE, HELD_TUNED = [2.20, 2.10, 2.40, 2.00], [1.70, 1.60, 2.00, 1.50]
SCORES_BASE = np.array([0.61, 0.55, 0.70, 0.42, 0.88, 0.39, 0.75, 0.66, 0.52, 0.47])
SCORES_TUNED = np.array([0.58, 0.56, 0.61, 0.40, 0.85, 0.41, 0.66, 0.60, 0.50, 0.49])
# Subtracted here as in the reference script: rounding decides which differences tie in Wilcoxon.
DIFFERENCES = SCORES_TUNED - SCORES_BASE


def same(name: str, **computed: Any) -> None:
    """Compare all values of one vector, none left out and none invented."""
    expected = VECTORS[name]
    assert set(computed) == set(expected)
    for key, value in expected.items():
        assert computed[key] == pytest.approx(value, abs=6e-7, rel=1e-6), f"{name}.{key}"
        if isinstance(value, float):
            assert computed[key] == pytest.approx(value, abs=1e-9), f"{name}.{key}"


def test_transfer_over_a_sequence_of_tasks() -> None:
    got = forgetting.transfer(
        [[0.80, 0.40, 0.30], [0.70, 0.85, 0.35], [0.60, 0.80, 0.90]], [0.25, 0.35, 0.25]
    )
    same("cl_matrix", ACC=got.accuracy, BWT=got.backward, FWT=got.forward, F=got.forgetting)


def test_retention_of_a_single_tune() -> None:
    base, tuned, chance = [0.62, 0.48, 0.71], [0.60, 0.41, 0.715], [0.25, 0.0, 0.5]
    got = forgetting.single_tune(base, tuned)
    kept = [forgetting.retention(*row) for row in zip(base, tuned, chance, strict=True)]
    same(
        "single_ft",
        delta=list(got.differences),
        retention=kept,
        mean_delta=got.mean,
        worst_delta=got.worst,
        mean_clipped_forgetting=got.mean_loss,
    )


def test_gap_adjusted_for_the_base() -> None:
    got = memorisation.base_adjusted_gap(TRAIN_BASE, TRAIN_TUNED, HELD_BASE, HELD_TUNED)
    same(
        "gap",
        gap_tuned=got.tuned,
        gap_base=got.base,
        did_gap=got.tuned - got.base,
        did_check=got.difference,
        se=got.standard_error,
        z=got.z,
        ppl_ratio=got.perplexity_ratio,
    )


def test_extraction_against_the_base() -> None:
    gold = [[1, 2, 3, 4], [5, 6, 7, 8], [9, 9, 9, 9], [4, 3, 2, 1]]
    tuned = memorisation.extraction(gold, [[1, 2, 3, 4], [5, 6, 0, 8], [9, 9, 9, 9], [0, 3, 2, 1]])
    base = memorisation.extraction(gold, [[1, 2, 0, 4], [5, 0, 0, 8], [9, 9, 9, 9], [0, 0, 2, 1]])
    same(
        "memorisation",
        verbatim_tuned=tuned.verbatim,
        verbatim_base=base.verbatim,
        counterfactual=memorisation.counterfactual_rate(tuned.verbatim, base.verbatim),
        mean_prefix_frac_tuned=tuned.prefix,
        token_acc_tuned=tuned.tokens,
    )
    same(
        "np_extraction",
        p_z=0.01,
        n_for_p50=memorisation.samples_to_extract(0.01, 0.5),
        n_for_p90=memorisation.samples_to_extract(0.01, 0.9),
        p_at_n100=memorisation.extraction_probability(0.01, 100),
    )
    same("exposure", R=10**6, rank=5, exposure_bits=memorisation.exposure(5, 10**6))


def test_membership_by_loss_and_min_k() -> None:
    raw = membership.membership_auc([-v for v in TRAIN_TUNED], [-v for v in HELD_TUNED])
    reference = membership.membership_auc(
        [a - b for a, b in zip(TRAIN_BASE, TRAIN_TUNED, strict=True)],
        [a - b for a, b in zip(HELD_BASE, HELD_TUNED, strict=True)],
    )
    partial = membership.membership_auc([0.2, 0.9, 0.5, 0.7, 0.4], [0.6, 0.1, 0.3, 0.5])
    same(
        "mia",
        auc_raw=raw.value,
        auc_ref=reference.value,
        auc_partial=partial.value,
        delong_se_partial=partial.standard_error,
        mannwhitney_u=partial.u,
    )
    tokens = [-0.1, -5.0, -0.3, -2.0, -0.05, -3.5, -0.2, -1.0, -0.4, -0.6]
    same("min_k", min20=membership.min_k(tokens, 0.2), mean=membership.min_k(tokens, 1.0))


def test_drift_between_distributions() -> None:
    got = drift.drift([0.7, 0.2, 0.1], [0.5, 0.3, 0.2])
    k = drift.kl_estimates([-0.2, 0.1, 0.3])
    same(
        "kl",
        kl_tuned_base=got.kl,
        kl_base_tuned=got.reverse_kl,
        js=got.js,
        tv=got.total_variation,
        top1_agree=got.same_top,
        k1=k.k1,
        k2=k.k2,
        k3=k.k3,
    )


def test_preference_with_ties_swaps_and_two_judges() -> None:
    won = preference.win_rate(96, 70, 34)
    assert won.decisive is not None
    same(
        "winrate",
        wr=won.rate,
        se=won.standard_error,
        ci=list(won.interval[:2]),
        decisive_wilson=list(won.decisive[:2]),
        sign_p=won.sign_p,
    )
    games = preference.swapped_games(["W", "W", "L", "W", "T", "L"], ["W", "L", "L", "W", "W", "T"])
    same(
        "swap",
        score=list(games.scores),
        mean=games.mean,
        consistency=games.consistency,
        first_pos_bias=games.first_position_bias,
    )
    agreement = preference.cohen_kappa([[40, 9], [6, 45]])
    same("kappa", po=agreement.observed, kappa=agreement.kappa)


def test_mcnemar_in_all_its_forms() -> None:
    got = mcnemar(TABLE)
    same(
        "mcnemar",
        n01_tuned_only=TABLE.tuned_only,
        n10_base_only=TABLE.base_only,
        exact_p=got.exact,
        mid_p=got.mid_p,
        chi2_cc=got.chi2_corrected,
        p_cc=got.chi2_corrected_p,
        chi2=got.chi2,
        p_chi2=got.chi2_p,
        one_sided_regression_p=got.regression,
    )

    def exact(gained: int, lost: int) -> float:
        return mcnemar(PairedCounts(10, lost, gained, 10)).exact

    same(
        "mcnemar_edge",
        b0c0=exact(0, 0),
        b0c5=exact(0, 5),
        b0c6=exact(0, 6),
        b5c5=exact(5, 5),
    )


def test_intervals_of_the_paired_difference() -> None:
    d, paired_error, plain_error = (
        TABLE.difference,
        TABLE.standard_error,
        TABLE.unpaired_standard_error,
    )
    same(
        "paired_prop",
        acc_base=TABLE.base,
        acc_tuned=TABLE.tuned,
        delta=d,
        se_paired=paired_error,
        se_unpaired=plain_error,
        z_paired=d / paired_error,
        z_unpaired=d / plain_error,
        p_paired=float(2 * scipy_stats.norm.sf(abs(d / paired_error))),
        p_unpaired=float(2 * scipy_stats.norm.sf(abs(d / plain_error))),
        wald_ci=list(paired_interval.wald_interval(TABLE)[:2]),
        bonett_price_ci=list(paired_interval.bonett_price_interval(TABLE)[:2]),
        tango_ci=list(paired_interval.tango_interval(TABLE)[:2]),
        flip_rate=TABLE.flip_rate,
        negative_flip_rate=TABLE.negative_flip_rate,
        positive_flip_rate=TABLE.positive_flip_rate,
        corr=TABLE.correlation,
    )
    same(
        "tango_check",
        z_at_0=paired_interval.tango_z(TABLE, 0.0),
        mcnemar_z=-math.sqrt(mcnemar(TABLE).chi2),
    )


@pytest.mark.parametrize("margin", [0.02, 0.05, 0.06])
def test_non_inferiority_at_three_margins(margin: float) -> None:
    got = noninferiority.from_standard_error(TABLE.difference, TABLE.standard_error, margin)
    same(
        f"noninf_margin_{margin}",
        z=got.z,
        p_noninf=got.p,
        p_tost=got.p_equivalence,
        tango_p_noninf=noninferiority.tango_p(TABLE, margin),
        lower_95_onesided=got.lower_bound,
    )


def test_clustered_standard_errors() -> None:
    scores = [1, 1, 0, 0, 0, 0, 1, 1, 0, 1]
    got = clustered.clustered_mean(scores, [0, 0, 0, 1, 1, 1, 2, 2, 3, 3])
    alone = clustered.clustered_mean(scores)
    interval = got.interval()
    same(
        "cluster_se",
        mean=got.mean,
        se_clt=alone.standard_error,
        se_bernoulli=alone.uncorrected_standard_error,
        se_cluster=got.uncorrected_standard_error,
        se_cluster_finite=got.standard_error,
        deff=got.design_effect,
        t_crit_df=got.degrees_of_freedom,
        t_crit=(interval.high - got.mean) / got.standard_error,
    )


def test_paired_continuous_scores() -> None:
    got = continuous.paired_mean(DIFFERENCES)
    boot = continuous.paired_bootstrap(DIFFERENCES)
    same(
        "paired_cont",
        mean=got.mean,
        se=got.standard_error,
        t=got.t,
        p_t=got.t_p,
        p_perm_exact=continuous.sign_flip_p(DIFFERENCES),
        wilcoxon_p=continuous.wilcoxon_p(DIFFERENCES),
        boot_ci=list(boot.interval[:2]),
        boot_se=boot.standard_error,
        cohen_dz=got.effect_size,
    )
    flips = [0.0] * 370 + [-1.0] * 21 + [1.0] * 9
    boot = continuous.paired_bootstrap(flips, resamples=2000)
    same("paired_boot_binary", ci=list(boot.interval[:2]), se=boot.standard_error)


def test_power_and_number_of_items() -> None:
    mde, need = power.minimum_detectable_effect, power.required_items
    sampled = (1 / 6, 1 / 6)
    same(
        "mde",
        zsum=mde(1.0, 1),
        n_miller_example=need(1 / 9, 0.03),
        mde_n198=mde(1 / 9, 198),
        mde_n198_sigma=mde(1 / 9, 198, sampling_variances=sampled),
        mde_n198_K10=mde(1 / 9, 198, sampling_variances=sampled, samples_per_item=10),
        flip10_n400=mde(0.10, 400),
        flip10_n1000=mde(0.10, 1000),
        need_flip10_d01=need(0.10, 0.01),
        one_sided_flip10_n400=mde(0.10, 400, two_sided=False),
    )


def test_corrections_for_many_tests() -> None:
    p = [0.001, 0.008, 0.039, 0.041, 0.27]
    same(
        "multiplicity",
        p=p,
        holm=multiplicity.holm(p).tolist(),
        bh=multiplicity.benjamini_hochberg(p).tolist(),
        bonf=multiplicity.bonferroni(p).tolist(),
        fisher=multiplicity.fisher_combined(p),
    )


def test_e_values_for_repeated_looks() -> None:
    same(
        "evalue",
        e_9_21=sequential.e_value(9, 21),
        e_0_10=sequential.e_value(0, 10),
        e_5_5=sequential.e_value(5, 5),
        e1_9_21=sequential.regression_e_value(9, 21),
        threshold_alpha05=sequential.threshold(0.05),
    )


def test_calibration_of_probabilities() -> None:
    got = calibration.calibration(
        [0.95, 0.90, 0.85, 0.75, 0.65, 0.60, 0.55, 0.45, 0.35, 0.25],
        [1, 1, 0, 1, 1, 0, 1, 0, 0, 0],
        bins=5,
    )
    same("calibration", ece5=got.ece, brier=got.brier, nll=got.nll)


def test_multiple_choice_rules_differ_in_what_they_count() -> None:
    lls, choices = [-4.0, -6.2, -5.1], ["yes", "absolutely not", "naïve"]
    got = choice.pick(lls, choices)
    same(
        "mc",
        argmax_acc=got.acc,
        argmax_acc_norm=got.acc_norm,
        argmax_acc_bytes=got.acc_bytes,
        char_len=[len(text) for text in choices],
        byte_len=[len(text.encode()) for text in choices],
        norm=list(choice.per_character(lls, choices)),
        bnorm=list(choice.per_byte(lls, choices)),
        softmax=list(got.probabilities),
    )


def test_perplexity_in_five_conventions() -> None:
    got = perplexity.perplexity([-120.5, -80.25], [30, 21], [170, 115], [40, 28])
    same(
        "ppl",
        word_ppl=got.word,
        byte_ppl=got.byte,
        bits_per_byte=got.bits_per_byte,
        token_ppl=got.token,
        per_seq_ppl=got.mean_sequence,
    )


def test_pass_at_k_and_zero_failures() -> None:
    same("passk", n=10, c=3, k1=passk.pass_at_k(10, 3, 1), k5=passk.pass_at_k(10, 3, 5))
    same(
        "zero_failures_50",
        cp_upper=proportions.clopper_pearson_interval(0, 50).high,
        rule_of_three=proportions.rule_of_three(50),
        one_sided_upper=proportions.zero_failures_upper_bound(50),
    )


def test_no_vector_is_left_unchecked() -> None:
    """Every name in the file is compared somewhere above."""
    source = Path(__file__).read_text(encoding="utf-8")
    unchecked = [
        name
        for name in VECTORS
        if f'"{name}"' not in source and not name.startswith("noninf_margin_")
    ]
    assert not unchecked
