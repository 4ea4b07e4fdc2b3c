"""What must hold for every table of paired answers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from evalsuite.stats.noninferiority import from_standard_error, tango_p
from evalsuite.stats.paired import PairedCounts, mcnemar
from evalsuite.stats.paired_interval import (
    bonett_price_interval,
    tango_bound,
    tango_interval,
    tango_z,
    wald_interval,
)
from evalsuite.stats.sequential import e_value, log_e_value, regression_e_value

cells = st.integers(min_value=0, max_value=400)
tables = (
    st.tuples(cells, cells, cells, cells)
    .filter(lambda row: sum(row) > 0)
    .map(lambda row: PairedCounts(*row))
)


def swapped(table: PairedCounts) -> PairedCounts:
    return PairedCounts(table.both, table.tuned_only, table.base_only, table.neither)


@given(tables)
def test_every_interval_holds_its_estimate(table: PairedCounts) -> None:
    assert wald_interval(table).low <= table.difference <= wald_interval(table).high
    tango = tango_interval(table)
    assert -1 <= tango.low <= table.difference <= tango.high <= 1
    adjusted = bonett_price_interval(table)
    centre = (table.tuned_only - table.base_only) / (table.n + 2)
    assert adjusted.low <= centre <= adjusted.high


@given(tables)
def test_swapping_the_models_mirrors_everything(table: PairedCounts) -> None:
    mirror = swapped(table)
    assert mcnemar(table).exact == pytest.approx(mcnemar(mirror).exact)
    assert mcnemar(table).regression == pytest.approx(mcnemar(mirror).gain)
    for interval in (wald_interval, bonett_price_interval, tango_interval):
        there, back = interval(table), interval(mirror)
        assert there.low == pytest.approx(-back.high, abs=1e-9)
        assert there.high == pytest.approx(-back.low, abs=1e-9)


@given(tables, st.floats(min_value=0.005, max_value=0.4))
def test_tango_bounds_are_where_its_own_test_sits_at_alpha(
    table: PairedCounts, alpha: float
) -> None:
    low = tango_bound(table, alpha, side="lower")
    if low > -1 + 1e-9:
        assert stats.norm.sf(tango_z(table, low)) == pytest.approx(alpha, abs=1e-6)
    high = tango_bound(table, alpha, side="upper")
    if high < 1 - 1e-9:
        assert stats.norm.cdf(tango_z(table, high)) == pytest.approx(alpha, abs=1e-6)


@given(tables, st.floats(min_value=0.0, max_value=0.3))
def test_bound_above_the_margin_and_small_p_say_the_same(
    table: PairedCounts, margin: float
) -> None:
    low, p = tango_bound(table, 0.05, side="lower"), tango_p(table, margin)
    assume(abs(low + margin) > 1e-9)
    assert (low > -margin) == (p < 0.05)


@given(tables, st.floats(-0.9, 0.9), st.floats(-0.9, 0.9))
def test_tango_statistic_falls_as_the_hypothesis_rises(
    table: PairedCounts, one: float, other: float
) -> None:
    lower, higher = sorted((one, other))
    assert tango_z(table, lower) >= tango_z(table, higher) - 1e-9


@given(tables)
def test_mid_p_is_never_above_the_exact_p_and_all_are_probabilities(table: PairedCounts) -> None:
    got = mcnemar(table)
    assert 0 <= got.mid_p <= got.exact <= 1
    assert 0 < got.regression <= 1
    # One point mass is counted on both sides.
    assert got.regression + got.gain >= 1 - 1e-12


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=200))
def test_counting_from_scores_keeps_every_item(rows: list[tuple[bool, bool]]) -> None:
    base, tuned = np.array(rows, dtype=float).T
    table = PairedCounts.from_scores(base, tuned)
    assert table.n == len(rows)
    assert table.difference == pytest.approx(float((tuned - base).mean()))
    spread = float((tuned - base).std(ddof=0)) / np.sqrt(len(rows))
    assert table.standard_error == pytest.approx(spread, abs=1e-9)


@settings(max_examples=25)
@given(st.integers(1, 60), st.floats(0.01, 0.5))
def test_score_interval_of_no_flips_has_width(n: int, alpha: float) -> None:
    """Nothing changed in n items is not "nothing can have changed"."""
    table = PairedCounts(n, 0, 0, 0)
    z = stats.norm.isf(alpha)
    expected = -(z**2) / (n + z**2) if alpha < 0.5 else 0.0
    assert tango_bound(table, alpha, side="lower") == pytest.approx(expected, abs=1e-6)


def test_bad_counts_and_scores_are_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        PairedCounts(1, -1, 0, 0)
    with pytest.raises(ValueError, match="no items"):
        PairedCounts(0, 0, 0, 0)
    with pytest.raises(ValueError, match="one length"):
        PairedCounts.from_scores([1, 0], [1])
    with pytest.raises(ValueError, match="0 or 1"):
        PairedCounts.from_scores([1, 0.5], [1, 0])
    with pytest.raises(ValueError, match="0 or 1"):
        PairedCounts.from_scores([1, float("nan")], [1, 0])
    with pytest.raises(ValueError, match="margin"):
        from_standard_error(0.0, 0.1, -0.05)
    with pytest.raises(ValueError, match="zero"):
        from_standard_error(0.0, 0.0, 0.05)


@given(st.integers(0, 500), st.integers(0, 500))
def test_e_values_are_symmetric_and_split_by_direction(gained: int, lost: int) -> None:
    assert log_e_value(gained, lost) == pytest.approx(log_e_value(lost, gained))
    both = regression_e_value(gained, lost) + regression_e_value(lost, gained)
    assert both == pytest.approx(2 * e_value(gained, lost), rel=1e-6)


def test_a_stream_of_fair_flips_rarely_ever_reaches_the_threshold() -> None:
    draw = np.random.default_rng(3)
    crossed = 0
    for _ in range(400):
        lost = np.cumsum(draw.integers(0, 2, 200))
        looks = range(10, 201, 10)
        crossed += any(e_value(n - int(lost[n - 1]), int(lost[n - 1])) >= 20 for n in looks)
    assert crossed / 400 <= 0.05
    assert log_e_value(5000, 0) > 709
    assert e_value(5000, 0) == float("inf")
