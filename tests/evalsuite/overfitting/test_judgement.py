"""Words from figures, and what they do to a gate that asks for them."""

from __future__ import annotations

from typing import Any

import pytest

from evalsuite.overfitting.judgement import Judged, canary_p, gated, judge_own_data
from evalsuite.overfitting.records import (
    Bounds,
    Exposure,
    Gap,
    Membership,
    OverfittingRecord,
    PartLoss,
    Recital,
)
from evalsuite.verdict import Verdict


def around(value: float, half: float = 0.01) -> Bounds:
    return Bounds(value=value, low=value - half, high=value + half)


def judged(**given: Any) -> Judged:
    """An honest run, but for what is given."""
    figures = {
        "fresh": -1.0, "gap": 0.02, "share": 0.02, "auc": 0.53, "recited": 0.0, "gained": None,
        "exposures": (), **given,
    }  # fmt: skip
    losses = [
        PartLoss(part=part, rows=200, tokens=4000, base=3.0, tuned=2.0, change=around(-1.0))
        for part in ("trained", "validation")
    ]
    recital = Recital(
        prefix=0, trained=200, held_out=200, tuned_trained=0.3, tuned_held_out=0.3,
        base_trained=0.0, base_held_out=0.0, prefix_share=0.5, token_share=0.9,
        counterfactual=around(figures["recited"], 0.02),
    )  # fmt: skip
    return judge_own_data(
        losses,
        Gap(tuned=0.1, base=0.05, adjusted=around(figures["gap"]), share=figures["share"]),
        Membership(auc=around(figures["auc"]), found=0.01),
        [recital],
        list(figures["exposures"]),
        around(figures["fresh"]),
        gained=figures["gained"],
        form=figures.get("form", "sft"),
    )


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, ("learned",)),
        ({"fresh": -0.03}, ("did not learn",)),  # certain, but less than 2 % of 3 nats
        ({"fresh": -0.03, "gained": True}, ("learned",)),
        ({"fresh": 0.2}, ("did not learn",)),
        ({"gap": 0.5, "share": 0.4, "auc": 0.9}, ("learned", "over-fitted")),
        ({"gap": 0.5, "share": 0.4, "auc": 0.6}, ("learned",)),  # its interval reaches 0.59
        ({"gap": 0.05, "share": 0.05, "auc": 0.9}, ("learned",)),  # hardly any of its gain
        ({"fresh": 0.1, "gap": 1.5, "share": 1.5, "auc": 1.0}, ("did not learn", "over-fitted")),
        ({"recited": 0.1}, ("learned", "memorised")),
        ({"recited": 0.1, "auc": 0.505}, ("learned",)),  # none of it is likelier than fresh rows
        ({"recited": 0.025}, ("learned",)),  # its interval begins at 0.005
    ],
)
def test_words_follow_from_the_thresholds(given: dict[str, Any], words: tuple[str, ...]) -> None:
    found = judged(**given)
    assert found.words == words
    assert all(word in found.sentence for word in words)
    assert found.advice


def test_the_sentence_says_what_is_known() -> None:
    assert judged().sentence == "learned: fresh rows became likelier."
    both = judged(gained=True).sentence
    assert both == "learned: fresh rows became likelier and a target was gained."
    neither = judged(fresh=0.2, gained=False).sentence
    assert neither == (
        "did not learn: fresh rows are no likelier than before and no target was gained."
    )


@pytest.mark.parametrize("form", ["preference", "labelled"])
def test_preferred_answers_that_became_less_likely_do_not_say_that_nothing_was_learnt(
    form: str,
) -> None:
    found = judged(form=form, fresh=0.2, gained=False)
    assert found.words == ()
    assert "not told by likelihood" in found.sentence
    assert judged(form=form).words == ("learned",)
    assert judged(form=form, fresh=0.2, gained=True).words == ("learned",)


def planted(rank: int, seen: int = 4) -> Exposure:
    return Exposure(
        canary="c", seen=seen, references=512, rank=rank, base_rank=200, bits=9.0, base_bits=1.0
    )


def test_planted_strings_that_rank_first_are_memorised() -> None:
    assert judged(exposures=[planted(1), planted(1)]).words == ("learned", "memorised")
    assert judged(exposures=[planted(200), planted(300)]).words == ("learned",)
    assert judged(exposures=[planted(1, seen=0)]).words == ("learned",)
    assert canary_p([planted(1)]) == pytest.approx(1 / 512)


def test_what_came_back_is_named_with_advice_of_its_own() -> None:
    strings = judged(exposures=[planted(1), planted(1)])
    assert strings.memorised == ("planted strings",)
    assert "planted strings come back" in strings.sentence
    assert "no recital of its own rows" in strings.sentence
    assert "gauge" in strings.advice[-1] and not any("rows below" in one for one in strings.advice)
    both = judged(exposures=[planted(1), planted(1)], recited=0.1)
    assert both.memorised == ("its own rows", "planted strings")
    assert any("rows below" in one for one in both.advice)
    record = OverfittingRecord(
        tuned="t", state="measured", words=["memorised"], memorised=["planted strings"]
    )
    assert "memorised (planted strings)" in gated(Verdict("pass", 0, "Passed."), record).headline


def test_without_fresh_rows_over_fitting_is_not_told() -> None:
    own = [PartLoss(part="trained", rows=9, tokens=90, base=3.0, tuned=1.0, change=around(-2.0))]
    found = judge_own_data(own, None, None, [], [], None, gained=None)
    assert found.words == ()
    assert "no rows that it did not see" in found.sentence
    assert "split" in found.advice[0]


def test_a_gate_that_asks_for_it_refuses_what_over_fitted() -> None:
    passed = Verdict("pass", 0, "Passed: all kept.")
    bad = OverfittingRecord(tuned="t", state="measured", words=["learned", "over-fitted"])
    found = gated(passed, bad)
    assert (found.status, found.exit_code) == ("fail", 1)
    assert found.headline == "Failed: on its own data: over-fitted; passed: all kept."
    good = OverfittingRecord(tuned="t", state="measured", words=["learned"])
    assert gated(passed, good) is passed
    invalid = Verdict("invalid", 5, "Invalid: …")
    assert gated(invalid, bad) is invalid
