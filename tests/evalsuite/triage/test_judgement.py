"""Format or real: from scores whose truth is known."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from pydantic import ValidationError

from evalsuite.triage.judgement import kind_of, triage_advice, triage_sentence, way_record
from evalsuite.triage.records import WayRecord
from evalsuite.triage.section import TriageSection
from evalsuite.triage.ways import AS_ASKED, BEGUN, CHOICE, CONTAINED, ONE_EXAMPLE, nearly


def way(name: str, base: int, tuned: int, of: int = 50, chance: float = 0.0) -> WayRecord:
    """So many right answers of `of` items."""
    ones = [[1.0] * right + [0.0] * (of - right) for right in (base, tuned)]
    return way_record(name, *ones, chance=chance)


def judged(asked: WayRecord, others: Sequence[WayRecord]) -> tuple[str, WayRecord | None]:
    """Other ways beside the suite's, all on the same items."""
    left = max(0.0, asked.kept or 0.0)
    return kind_of([asked, *(one.model_copy(update={"left": left}) for one in others)])


def test_kept_is_the_share_of_the_bases_skill_above_guessing() -> None:
    found = way(CHOICE, 45, 20, chance=0.25)
    assert found.kept == pytest.approx((0.4 - 0.25) / (0.9 - 0.25))
    assert found.low == pytest.approx(0.2761, abs=1e-3)  # Wilson, 20 of 50
    assert way(ONE_EXAMPLE, 10, 10).kept is None  # the base itself cannot, so asked
    assert way(ONE_EXAMPLE, 19, 19, of=19).kept is None  # too few items


@pytest.mark.parametrize(
    ("others", "kind"),
    [
        ([way(CONTAINED, 48, 46)], "format"),
        ([way(CONTAINED, 48, 5), way(BEGUN, 50, 44)], "real"),  # any speller ends it
        ([way(CONTAINED, 48, 5), way(BEGUN, 50, 44), way(CHOICE, 50, 49, chance=0.25)], "format"),
        ([way(BEGUN, 50, 50)], "unclear"),
        ([way(BEGUN, 50, 10)], "real"),
        ([way(CONTAINED, 48, 5), way(BEGUN, 50, 12), way(CHOICE, 50, 28, chance=0.25)], "real"),
        ([way(CONTAINED, 48, 30)], "real"),  # a good part, but not most of it
        ([way(CONTAINED, 48, 30), way(CHOICE, 50, 49, chance=0.25)], "format"),
        ([way(CONTAINED, 48, 10), way(CHOICE, 50, 49, chance=0.25)], "hidden"),
        ([way(BEGUN, 50, 30), way(CHOICE, 50, 49, chance=0.25)], "hidden"),
        ([way(ONE_EXAMPLE, 3, 3)], "unclear"),
        ([], "unclear"),
    ],
)
def test_a_loss_is_one_of_form_where_some_way_has_most_of_the_skill(
    others: list[WayRecord], kind: str
) -> None:
    found, best = judged(way(AS_ASKED, 48, 4), others)
    assert found == kind
    assert (best is None) == (kind == "unclear")
    sentence = triage_sentence("addition", found, best, [way(AS_ASKED, 48, 4), *others])
    word = {
        "format": "format loss",
        "hidden": "hidden",
        "real": "real loss",
        "unclear": "not told",
    }[kind]
    assert word in sentence
    assert "replay" in triage_advice(found, best).lower()


def test_what_the_suite_still_finds_is_no_recovery() -> None:
    """Forty of fifty kept as asked, and as a choice forty-two: nothing came back."""
    found, _ = judged(way(AS_ASKED, 50, 40), [way(CHOICE, 50, 42, chance=0.25)])
    assert found == "real"
    others = [way(BEGUN, 50, 44), way(CHOICE, 50, 50, chance=0.25)]
    found, best = judged(way(AS_ASKED, 50, 43), others)
    assert (found, best and best.name) == (
        "real",
        BEGUN,
    )  # most is written as the suite asks: not hidden


def test_ending_the_only_answer_that_half_of_it_leaves_is_no_ability() -> None:
    """Both end "pos"; neither of the other ways has it back."""
    others = [way(CONTAINED, 45, 15), way(ONE_EXAMPLE, 45, 15), way(BEGUN, 50, 50)]
    found, best = judged(way(AS_ASKED, 45, 15), [*others, way(CHOICE, 45, 18, chance=0.25)])
    assert (found, best and best.name) == ("real", CONTAINED)


@pytest.mark.parametrize(
    ("others", "why"),
    [
        ([], "there is no other way to ask it"),
        ([way(CONTAINED, 12, 12, of=12)], "takes 20 items, and there were 12 at most"),
        ([way(ONE_EXAMPLE, 3, 3)], "the base itself cannot do it in any other way"),
        ([way_record(CHOICE, [1.0] * 30, [1.0] * 30, of=100)], "only a few of its items"),
        ([way(ONE_EXAMPLE, 3, 3), way(BEGUN, 50, 50)], "ends answers that are begun"),
    ],
)
def test_what_is_not_told_says_why(others: list[WayRecord], why: str) -> None:
    found, best = judged(way(AS_ASKED, 48, 4), others)
    assert found == "unclear"
    assert why in triage_sentence("addition", found, best, [way(AS_ASKED, 48, 4), *others])


def test_a_count_of_items_that_tells_nothing_is_refused() -> None:
    assert TriageSection(items=0).items == 0
    with pytest.raises(ValidationError, match="0 or at least 20"):
        TriageSection(items=19)


def test_wrong_choices_are_nearly_right() -> None:
    golds = ["button valley cousin", "tea ribbon", "150", "155", "156", "9", "Paris"]
    found = nearly("button valley cousin", golds, random.Random(0))
    assert len(found) == 3
    assert [sorted(one.split()) for one in found] == [["button", "cousin", "valley"]] * 3
    assert "button valley cousin" not in found
    assert nearly("155", golds, random.Random(0))[:2] == ["156", "150"]
    two = nearly("tea ribbon", golds, random.Random(0))
    assert two[0] == "ribbon tea" and len(set(two)) == 3
