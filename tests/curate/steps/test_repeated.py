"""Prompts, answers, preferences and conversations that come more than once."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import curate
from curate.frame import ROW
from curate.steps.base import Outcome
from workspace.errors import UsageError

Turn = dict[str, str]


def chat(*said: str) -> list[Turn]:
    roles = ("user", "assistant")
    return [{"role": roles[place % 2], "content": text} for place, text in enumerate(said)]


def conversations(*rows: list[Turn]) -> pl.DataFrame:
    return pl.DataFrame({"id": [f"r{n}" for n in range(len(rows))], "messages": [*rows]})


def preferences(*rows: tuple[str, str, str]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "id": [f"r{n}" for n in range(len(rows))],
            "prompt": [chat(ask) for ask, _, _ in rows],
            "chosen": [[{"role": "assistant", "content": good}] for _, good, _ in rows],
            "rejected": [[{"role": "assistant", "content": bad}] for _, _, bad in rows],
        }
    )


def gone(outcome: Outcome) -> list[tuple[int, str, str | None]]:
    return outcome.dropped.select(ROW, "reason", "duplicate_of").rows()


def test_one_answer_is_kept_of_each_prompt_the_longest_or_the_first() -> None:
    frame = conversations(
        chat("Why?", "so"), chat("why", "so it is"), chat("Who?", "me"), chat("WHY?", "so it goes")
    )
    longest = curate.step(frame, "repeated_prompts")
    assert gone(longest) == [(0, "repeated_prompt", "r1"), (3, "repeated_prompt", "r1")]
    assert longest.dropped["detail"][0] == "one of 3 rows with this prompt; kept: 1"
    first = curate.step(frame, "repeated_prompts", keep="first", most=2)
    assert gone(first) == [(3, "repeated_prompt", "r0")]


def test_boilerplate_is_limited_and_labels_are_not() -> None:
    sorry = "I am sorry, I cannot help you with this request today."
    rows = [chat(f"question {n}", sorry) for n in range(5)]
    rows += [chat(f"which {n}", "billing") for n in range(5)]
    outcome = curate.step(conversations(*rows), "repeated_answers", most=3)
    assert gone(outcome) == [(3, "repeated_answer", "r0"), (4, "repeated_answer", "r0")]


def test_pairs_without_a_difference_and_preferences_both_ways_go() -> None:
    frame = preferences(
        ("ask", "Yes.", "Yes. \n"),
        ("which", "left", "right"),
        ("which", "Right", "left!"),
        ("which", "left", "right"),
        ("other", "left", "right"),
    )
    outcome = curate.step(frame, "preference_pairs")
    assert [row[:2] for row in gone(outcome)] == [
        (0, "chosen_is_rejected"),
        (1, "both_ways"),
        (2, "both_ways"),
        (3, "both_ways"),
    ]
    assert outcome.dropped["detail"][2] == "1 of 3 rows with these answers say so, 2 the opposite"
    assert outcome.notes == ("3 preferences are told both ways.",)
    majority = curate.step(frame, "preference_pairs", both_ways="majority", equal=False)
    assert [row for row, *_ in gone(majority)] == [2]
    assert gone(curate.step(frame, "preference_pairs", both_ways="all", equal=False)) == []


def test_case_and_punctuation_make_a_difference_and_a_further_question_does_not_belong() -> None:
    frame = preferences(("shout: yes", "YES!", "yes"), ("a", "b", "c"))
    further = [chat("x", "b")[1], chat("why?")[0], chat("x", "so")[1]]
    chosen = [frame["chosen"][0].to_list(), further]
    frame = frame.with_columns(pl.Series("chosen", chosen))
    outcome = curate.step(frame, "preference_pairs")
    assert [row[:2] for row in gone(outcome)] == [(1, "prompts_differ")]
    assert gone(curate.step(frame, "preference_pairs", parted=False)) == []


def test_an_answer_with_both_labels_goes() -> None:
    frame = pl.DataFrame(
        {
            "prompt": [chat("a"), chat("a"), chat("b")],
            "completion": [[{"role": "assistant", "content": "x"}]] * 3,
            "label": [True, False, True],
        }
    )
    outcome = curate.step(frame, "preference_pairs")
    assert [row[:2] for row in gone(outcome)] == [(0, "both_ways"), (1, "both_ways")]


def test_rows_without_a_preference_are_refused() -> None:
    with pytest.raises(UsageError, match="no preferences") as caught:
        curate.step(conversations(chat("a", "b")), "preference_pairs")
    assert "messages" in caught.value.cause


def test_a_conversation_that_another_begins_with_goes_for_the_longest() -> None:
    frame = conversations(
        chat("a", "b"),
        chat("a", "b", "c", "d"),
        chat("a", "b", "c", "d", "e", "f"),
        chat("a", "x", "c", "d"),
        chat("a", "b", "c", "d", "e", "f"),
    )
    outcome = curate.step(frame, "prefix_conversations")
    assert gone(outcome) == [(0, "prefix", "r2"), (1, "prefix", "r2")]
    assert outcome.dropped["detail"][1] == "its 4 turns are the first of the 6 of r2"


def test_where_only_answers_are_trained_nothing_is_told_twice() -> None:
    with pytest.raises(UsageError, match="only conversations"):
        curate.step(preferences(("a", "b", "c")), "prefix_conversations")


texts = st.sampled_from(["a", "b", "A!", "1", "", "🙂"])
words = st.sampled_from(["a", "b", "A!", "1", ""])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(texts, min_size=1, max_size=5), min_size=1, max_size=12))
def test_prefixes_are_what_comparing_every_two_finds(said: list[list[str]]) -> None:
    outcome = curate.step(conversations(*(chat(*one) for one in said)), "prefix_conversations")
    expected = [
        row
        for row, one in enumerate(said)
        if any(len(more) > len(one) and more[: len(one)] == one for more in said)
    ]
    assert outcome.dropped[ROW].to_list() == expected
    kept = set(outcome.kept.select("id").collect()["id"])
    assert set(outcome.dropped["duplicate_of"]) <= kept


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(words, words), min_size=1, max_size=12),
    st.integers(1, 3),
    st.sampled_from(["repeated_prompts", "repeated_answers"]),
)
def test_every_row_is_kept_or_dropped_and_each_group_keeps_its_number(
    pairs: list[tuple[str, str]], most: int, name: str
) -> None:
    more: dict[str, Any] = {"least_tokens": 1} if name == "repeated_answers" else {}
    outcome = curate.step(conversations(*(chat(*p) for p in pairs)), name, most=most, **more)
    kept = outcome.kept.select(ROW).collect()[ROW].to_list()
    assert sorted(kept + outcome.dropped[ROW].to_list()) == list(range(len(pairs)))
    side = 0 if name == "repeated_prompts" else 1
    left: dict[str, int] = {}
    for row in kept:
        said = pairs[row][side].lower().strip("!")
        left[said] = left.get(said, 0) + 1
    whole: dict[str, int] = {}
    for pair in pairs:
        said = pair[side].lower().strip("!")
        whole[said] = whole.get(said, 0) + 1
    for said, count in whole.items():
        limited = said != "" or name == "repeated_prompts"
        assert left[said] == (min(count, most) if limited else count)


def test_an_unknown_step_or_setting_is_told() -> None:
    frame = conversations(chat("a", "b"))
    with pytest.raises(UsageError, match="no such step") as caught:
        curate.step(frame, "contradiction")
    assert "`contradictions`" in caught.value.cure
    with pytest.raises(UsageError, match="cannot be used") as wrong:
        curate.step(frame, "repeated_prompts", most=0)
    assert wrong.value.where == "repeated_prompts.most"
