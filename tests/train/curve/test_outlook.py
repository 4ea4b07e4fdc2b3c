"""What twice the rows would bring, on scores whose law is known."""

from __future__ import annotations

import numpy as np
import pytest

from train.curve.outlook import outlook

ROWS = [100, 300, 1000]


def answers(errors: list[float], items: int = 2000) -> np.ndarray:
    """Items of which a share fails; harder items fail at every point before easier ones do."""
    difficulty = (np.arange(items) + 0.5) / items
    return np.array([(difficulty >= error).astype(float) for error in errors])


def test_a_power_law_is_found_again_with_its_gain() -> None:
    law = [0.6 * (rows / 100) ** -0.4 for rows in ROWS]
    found = outlook(ROWS, answers(law))
    gain = law[-1] * (1 - 2**-0.4)
    assert found.verdict == "gain" and found.exponent == pytest.approx(0.4, abs=0.01)
    assert found.gain == pytest.approx(gain, abs=0.003)
    assert found.low is not None and found.high is not None and found.low < gain < found.high
    assert "from 2,000 rows" in found.sentence


@pytest.mark.slow
def test_the_interval_holds_the_true_gain_in_most_repetitions() -> None:
    """95 % nominal; 200 repetitions, so 0.90 is three standard errors below."""
    law = np.array([0.6 * (rows / 100) ** -0.3 for rows in ROWS])
    gain, random, held = law[-1] * (1 - 2**-0.3), np.random.default_rng(5), 0
    for repetition in range(200):
        scores = (random.random((3, 400)) >= law[:, None]).astype(float)
        found = outlook(ROWS, scores, seed=repetition)
        assert found.low is not None and found.high is not None
        held += found.low <= gain <= found.high
    assert held / 200 >= 0.90


def test_a_flat_curve_promises_nothing() -> None:
    found = outlook(ROWS, answers([0.401, 0.4, 0.4]))
    assert found.verdict == "no gain" and "expect less than 5 points" in found.sentence


def test_few_items_cannot_say() -> None:
    random = np.random.default_rng(0)
    scores = (random.random((3, 30)) >= np.array([[0.5], [0.5], [0.4]])).astype(float)
    found = outlook(ROWS, scores)
    assert found.verdict == "cannot say" and found.low is not None and found.low < 0 < found.high


def test_points_that_no_law_passes_are_said_to_be_so() -> None:
    found = outlook(ROWS, answers([0.6, 0.2, 0.5]))
    assert found.verdict == "cannot say" and "no power law passes" in found.sentence


def test_a_full_score_leaves_nothing_to_gain() -> None:
    assert outlook(ROWS, answers([0.5, 0.1, 0.0])).verdict == "no gain"


def test_scores_without_bounds_and_two_points_have_no_law() -> None:
    assert outlook(ROWS, answers([0.5, 0.4, 0.3]) - 2.0).verdict == "cannot say"
    assert "needs 3 points" in outlook([10, 20], answers([0.5, 0.4])).sentence


def test_clusters_widen_the_interval() -> None:
    scores = answers([0.6, 0.45, 0.3], items=600)
    clusters = [str(item // 60) for item in range(600)]
    alone, together = outlook(ROWS, scores), outlook(ROWS, scores, clusters)
    assert alone.low is not None and together.low is not None
    assert together.high - together.low > 2 * (alone.high - alone.low)  # type: ignore[operator]
