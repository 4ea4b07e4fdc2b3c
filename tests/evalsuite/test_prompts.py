"""Is tuning needed? One sentence, with the figures it rests on."""

from __future__ import annotations

import pytest

from evalsuite.prompts import TunedScore, mean_interval, recommend
from evalsuite.report import PromptBaseline


def baseline(name: str, score: float, low: float, high: float) -> PromptBaseline:
    return PromptBaseline(
        name=name, model="base", ability="triage", score=score, low=low, high=high, n=500,
        prompt_tokens=40,
    )  # fmt: skip


def test_a_prompt_that_is_good_enough_makes_tuning_needless() -> None:
    said = recommend(
        [baseline("zero-shot", 0.2, 0.1, 0.3), baseline("3 examples", 0.96, 0.94, 0.98)]
    )
    assert said.startswith("triage: tuning is hardly needed")
    assert "3 examples 96.0% [94.0%, 98.0%], 40 prompt tokens" in said


def test_a_prompt_that_does_not_reach_it_asks_for_tuning() -> None:
    said = recommend([baseline("zero-shot", 0.0, 0.0, 0.01), baseline("3 examples", 0, 0, 0.01)])
    assert said.startswith("triage: prompts alone do not reach it, tune")


def test_examples_that_help_are_the_thing_to_beat() -> None:
    said = recommend([baseline("zero-shot", 0.2, 0.1, 0.3), baseline("3 examples", 0.6, 0.5, 0.7)])
    assert "help but 40% stays wrong" in said


@pytest.mark.parametrize(("score", "word"), [(0.98, "pays"), (0.65, "does not beat")])
def test_a_tuned_model_is_measured_against_the_best_prompt(score: float, word: str) -> None:
    tried = [baseline("zero-shot", 0.2, 0.1, 0.3), baseline("3 examples", 0.6, 0.5, 0.7)]
    assert f"tuning {word}" in recommend(tried, [TunedScore("mine", "triage", score, True)])


def test_a_gain_that_is_not_certain_is_not_said_to_pay() -> None:
    tried = [baseline("zero-shot", 0.2, 0.1, 0.3)]
    said = recommend(tried, [TunedScore("mine", "triage", 0.6, False)])
    assert "seems to pay, but the gain is not certain yet" in said


def test_intervals_of_means_mind_clusters() -> None:
    scores = [1.0, 1.0, 0.0, 0.0] * 10
    independent = mean_interval(scores, [str(number) for number in range(40)])
    clustered = mean_interval(scores, [str(number // 2) for number in range(40)])
    assert independent.high - independent.low < clustered.high - clustered.low
    assert mean_interval([1.0] * 10, [str(n) for n in range(10)]).low == pytest.approx(
        0.722, abs=1e-3
    )


def test_clusters_that_all_agree_still_leave_doubt() -> None:
    clusters = [str(number % 40) for number in range(400)]
    none = mean_interval([0.0] * 400, clusters)
    assert (none.low, none.high) == pytest.approx((0.0, 0.0876), abs=1e-4)
    every = mean_interval([1.0] * 400, clusters)
    assert (every.low, every.high) == pytest.approx((0.9124, 1.0), abs=1e-4)
