"""The best prompt is chosen on one half and told on the other; tuning is held against it."""

from __future__ import annotations

import numpy as np
import pytest

from evalsuite.prompting.advice import after_tuning, before_tuning, too_few
from evalsuite.prompting.baselines import mean_interval, summarise
from evalsuite.prompting.choice import Asked, choose, gain, side_by_side
from evalsuite.prompting.scores import Scores, chooses

ITEMS = 400


def way(name: str, values: np.ndarray, tokens: float = 40.0, clusters: int = 0) -> Scores:
    count = len(values)
    ids = tuple(f"triage/{number}" for number in range(count))
    labels = tuple(f"c{n % clusters}" for n in range(count)) if clusters else ids
    return Scores(name, ids, labels, np.asarray(values, float), np.full(count, tokens))


def right(share: float, seed: int, count: int = ITEMS) -> np.ndarray:
    return (np.random.default_rng(seed).random(count) < share).astype(float)


def asked(*ways: Scores, min_gain: float = 0.05) -> Asked:
    return Asked("triage", "support", ways, min_gain)


def test_the_best_of_equal_prompts_is_not_told_too_high() -> None:
    """Twelve prompts of one true score: the winner is too high on its own half alone."""
    told, seen = [], []
    for trial in range(60):
        ways = [way("zero-shot", right(0.5, trial * 100))]
        ways += [way(f"p{n}", right(0.5, trial * 100 + n)) for n in range(1, 12)]
        found = choose(asked(*ways), seed=trial)
        assert found is not None
        told.append(found.record.score)
        seen.append(found.record.chosen_score)
    assert np.mean(seen) > 0.54
    assert np.mean(told) == pytest.approx(0.5, abs=0.01)


def test_intervals_of_the_chosen_prompt_hold_its_true_score() -> None:
    held = 0
    for trial in range(100):
        ways = [way("zero-shot", right(0.5, trial * 50))]
        ways += [way(f"p{n}", right(0.5, trial * 50 + n)) for n in range(1, 8)]
        found = choose(asked(*ways), seed=7)
        assert found is not None
        held += found.record.low <= 0.5 <= found.record.high
    assert held >= 90


def test_halves_are_even_disjoint_whole_in_clusters_and_the_same_again() -> None:
    clusters = [f"c{number // 3}" for number in range(301)]
    half = chooses(clusters, 3)
    assert 140 <= half.sum() <= 160
    by_cluster: dict[str, set[bool]] = {}
    for name, side in zip(clusters, half.tolist(), strict=True):
        by_cluster.setdefault(name, set()).add(side)
    assert all(len(sides) == 1 for sides in by_cluster.values())
    shuffled = np.random.default_rng(0).permutation(len(clusters))
    again = chooses([clusters[place] for place in shuffled], 3)
    assert (again == half[shuffled]).all()
    assert (chooses(clusters, 4) != half).any()


def test_of_prompts_that_score_alike_the_shorter_is_taken() -> None:
    values = right(0.7, 1)
    found = choose(
        asked(way("zero-shot", right(0.1, 2), 20), way("long", values, 900), way("short", values)),
        seed=0,
    )
    assert found is not None
    record = found.record
    assert (record.name, record.prompt_tokens, record.plain_prompt_tokens) == ("short", 40.0, 20.0)
    assert record.over_plain == pytest.approx(record.score - record.plain_score)
    assert 0.5 < record.over_plain_low < record.over_plain < record.over_plain_high < 0.75


def test_too_few_items_choose_nothing() -> None:
    one = asked(way("zero-shot", np.array([1.0, 0.0, 1.0])))
    assert choose(one, seed=0) is None
    assert choose(asked(way("zero-shot", right(0.5, 0, 18))), seed=0) is None
    assert choose(asked(way("zero-shot", right(0.5, 0, 20))), seed=0) is not None
    lopsided = way("zero-shot", right(0.5, 0, 50))
    labels = ("big",) * 49 + ("small",)
    whole = Scores(lopsided.name, lopsided.ids, labels, lopsided.values, lopsided.prompt_tokens)
    assert choose(asked(whole), seed=0) is None
    assert too_few("triage").decision == "undecided"


def test_a_prompt_not_tried_on_every_item_is_not_compared() -> None:
    plain, part = way("zero-shot", right(0.2, 0)), way("few-shot", right(1.0, 0, 10))
    found, partial = side_by_side("triage", "support", [plain, part], 0.05)
    assert [one.name for one in found.ways] == ["zero-shot"]
    assert partial == ["few-shot"]


@pytest.mark.parametrize(
    ("share", "decision"), [(0.98, "do not tune"), (0.9, "undecided"), (0.5, "tune")]
)
def test_before_tuning_the_interval_is_held_against_what_would_be_enough(
    share: float, decision: str
) -> None:
    values = np.zeros(ITEMS)
    values[: round(share * ITEMS)] = 1.0
    spread = np.random.default_rng(5).permutation(values)
    found = choose(asked(way("zero-shot", right(0.1, 3), 20), way("few-shot", spread, 412)), seed=1)
    assert found is not None
    said = before_tuning(found.record, enough=0.9)
    assert said.decision == decision
    assert said.sentence.startswith(("Do not tune: ", "Undecided: ", "Tune: "))
    assert said.sentence.endswith(
        "a thousand requests read 412,000 prompt tokens with few-shot and 20,000 without."
    )
    assert "(200 items that did not choose it; 200 others did)" in said.sentence


@pytest.mark.parametrize(
    ("share", "decision"), [(0.9, "tune"), (0.62, "do not tune"), (0.68, "undecided")]
)
def test_after_tuning_the_gain_is_told_over_the_best_prompt(share: float, decision: str) -> None:
    order = np.random.default_rng(2).permutation(ITEMS)
    prompt, tuned = np.zeros(ITEMS), np.zeros(ITEMS)
    prompt[order[: round(0.62 * ITEMS)]] = 1.0
    tuned[order[: round(share * ITEMS)]] = 1.0
    ways = asked(way("zero-shot", right(0.02, 9), 30), way("few-shot", prompt, 300))
    chosen = choose(ways, seed=1)
    assert chosen is not None
    shuffled = np.random.default_rng(8).permutation(ITEMS)
    model = way("mine", tuned, 30)
    mixed = Scores(
        "mine", tuple(model.ids[p] for p in shuffled), tuple(model.clusters[p] for p in shuffled),
        model.values[shuffled], model.prompt_tokens[shuffled],
    )  # fmt: skip
    found = gain(chosen, ways, mixed)
    assert found is not None
    assert found.n == chosen.record.n
    assert found.difference == pytest.approx(found.tuned_score - found.score)
    assert found.low <= found.difference <= found.high
    said = after_tuning(chosen.record, found)
    assert said.decision == decision
    assert "300,000 prompt tokens with few-shot and 30,000 with mine" in said.sentence


def test_a_model_asked_other_items_has_no_gain() -> None:
    ways = asked(way("zero-shot", right(0.2, 0)))
    chosen = choose(ways, seed=0)
    assert chosen is not None
    assert gain(chosen, ways, way("mine", right(0.9, 1, 10))) is None


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
    assert (none.low, none.high) == pytest.approx((0.0, 0.0928), abs=1e-4)
    found = summarise("triage", way("zero-shot", np.ones(400), clusters=40))
    assert (found.low, found.high) == pytest.approx((0.9072, 1.0), abs=1e-4)


@pytest.mark.parametrize(
    ("scores", "clusters", "least"),
    [
        ([1.0, 0.0] * 5, "aabbccddee", 0.6),  # each cluster half right
        ([0.5, 0.5], "ab", 1.0),
        ([0.9, 1.0, 0.95], "abc", 1.0),
        ([0.5] * 40, [str(number) for number in range(40)], 0.1),
        ([1.0, 1.0, 0.0], "aaa", 1.0),
    ],
)
def test_no_interval_has_no_width_or_leaves_the_scale(
    scores: list[float], clusters: str | list[str], least: float
) -> None:
    found = mean_interval(scores, list(clusters))
    assert 0.0 <= found.low < found.high <= 1.0
    assert found.high - found.low >= least


def test_intervals_of_few_clusters_near_the_end_of_the_scale_hold_the_true_score() -> None:
    """25 clusters of two items that agree half the time, 0.9 right: a t interval misses 14 %."""
    rng = np.random.default_rng(0)
    clusters = [str(number // 2) for number in range(50)]
    above = below = 0
    for _ in range(400):
        shared, own = rng.random((25, 1)) < 0.9, rng.random((25, 2)) < 0.9
        values = np.where(rng.random((25, 1)) < 0.5, shared, own).astype(float).ravel()
        found = mean_interval(values.tolist(), clusters)
        above += found.low > 0.9
        below += found.high < 0.9
    assert above + below <= 24  # 6 %; nominally 5
