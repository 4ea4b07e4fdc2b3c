"""What needs no model: noise, slots, cutting documents, reading replies; any text at all."""

from __future__ import annotations

import time
from collections import Counter
from random import Random
from typing import Any

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from curate.synth.generators.documents import pieces, stands_in
from curate.synth.generators.noise import noisy
from curate.synth.structured import QuestionAnswer
from evalsuite.asking.desk import Interrupted
from evalsuite.asking.forms import read_form

KINDS = ("typos", "casing", "dropped_words")
texts = st.text(max_size=300)


def table(result: Any, name: str) -> pl.DataFrame:
    return pl.read_parquet(result.path / f"{name}.parquet")


def messages(result: Any) -> list[list[str]]:
    return [[turn["content"] for turn in row] for row in table(result, "train")["messages"]]


@given(texts, st.sampled_from(KINDS), st.floats(0.01, 0.5), st.integers(0, 99))
@example("A0A0²", "dropped_words", 0.5, 0)
@settings(max_examples=150, deadline=None)
def test_noise_takes_any_text_and_is_repeated_by_its_seed(
    text: str, kind: str, rate: float, seed: int
) -> None:
    made = noisy(text, kind, rate, Random(seed))
    assert made == noisy(text, kind, rate, Random(seed))
    digits = "".join(letter for letter in text if letter.isdigit())
    if kind != "casing":
        assert "".join(letter for letter in made if letter.isdigit()) == digits
    assert abs(len(made) - len(text)) <= len(text) / 2 + 8


@pytest.mark.parametrize("kind", KINDS)
def test_noise_leaves_code_quotations_and_addresses_alone(kind: str) -> None:
    kept = [
        "`import antigravity`",
        "{customer_name}",
        '"exactly these words"',
        "https://example.org/some/path",
        "```\nfor every in things:\n    print(every)\n```",
    ]
    text = "Please explain slowly " + " and then also consider ".join(kept) + " before writing"
    for seed in range(50):
        made = noisy(text, kind, 0.5, Random(seed))
        assert made != text and all(part in made for part in kept)


def test_a_word_that_turns_the_question_around_is_never_dropped() -> None:
    for seed in range(100):
        made = noisy("do not ever go in without a hat", "dropped_words", 0.5, Random(seed))
        assert "not" in made.split() and "without" in made.split()


@pytest.mark.slow
def test_a_long_text_takes_time_in_proportion() -> None:
    text = 'some words in a "quoted part" and `code` and <tags> here ' * 20_000
    begun = time.perf_counter()
    made = noisy(text, "typos", 0.1, Random(1))
    assert made != text and time.perf_counter() - begun < 10


def test_each_row_meets_each_kind_of_noise(augment: Any) -> None:
    generate = [{"noise": {"per_row": 3}}]
    result = augment({"generate": generate, "target": {"rows": 200}})
    met = Counter(map(tuple, table(result, "made").select("note", "parents").explode("parents")
                      .rows()))  # fmt: skip
    assert set(met.values()) == {1} and len(met) == 120
    assert table(result, "made")["cost"].sum() == 0.0
    assert any("used as often as the generators may" in text for text in result.notes)


def test_rules_stop_when_asked_to(augment: Any) -> None:
    asks = {"generate": ["noise"], "target": {"rows": 40}, "batch": 4}
    from curate.synth.work import Reporter

    looks = iter(range(1000))
    report = Reporter(stop_requested=lambda: next(looks) >= 3)
    with pytest.raises(Interrupted):
        augment(asks, report=report)
    assert augment(asks).accepted == {"all": 40}


def test_slots_change_the_whole_conversation_alike(augment: Any) -> None:
    rows = [
        {
            "messages": [
                {"role": "system", "content": "The shop is in Oslo."},
                {"role": "user", "content": "Is Oslo cold? And Oslopark?"},
                {"role": "assistant", "content": "Oslo is, more than Quito."},
            ]
        },
        {"messages": [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "?"}]},
    ]
    generate = [{"slots": {"values": {"city": ["Oslo", "Lima", "Riga"]}}}]
    result = augment({"generate": generate, "target": {"rows": 9}}, rows=rows)
    made = {system.split()[-1].strip("."): rest for system, *rest in messages(result)}
    assert set(made) == {"Lima", "Riga"}
    assert made["Lima"] == ["Is Lima cold? And Oslopark?", "Lima is, more than Quito."]
    notes = table(result, "made").filter("accepted")["note"].to_list()
    assert sorted(notes) == ["Oslo → Lima", "Oslo → Riga"]


@given(st.text(alphabet="ab \n", max_size=400), st.integers(1, 60))
@settings(max_examples=150, deadline=None)
def test_pieces_hold_all_words_in_order_within_their_length(text: str, most: int) -> None:
    cut = pieces(text, most)
    assert all(len(piece) <= most for piece in cut)
    assert "".join("".join(cut).split()) == "".join(text.split())


def test_a_passage_is_found_whatever_the_spaces_and_the_case() -> None:
    assert stands_in("the OLD   mill", "By the\nold mill stream")
    assert not stands_in("old mill", "By the old mill stream")  # too short to prove anything
    assert not stands_in("the new mill", "By the old mill stream")


@given(st.one_of(texts, st.builds(lambda a, b: f"{a}{{{b}}}", texts, texts)))
@settings(max_examples=200, deadline=None)
def test_a_reply_of_any_form_is_read_or_refused_in_words(text: str) -> None:
    try:
        found = read_form(text, QuestionAnswer)
    except ValueError as error:
        assert str(error)
    else:
        assert found.question and found.answer


def test_what_a_model_thought_aloud_is_passed_over() -> None:
    reply = '<think>{"question": "no"} or {so}?</think>\n\n{"question": "Why?", "answer": "So."}'
    assert read_form(reply, QuestionAnswer).question == "Why?"


words = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=60)


@given(words, words)
@settings(max_examples=100, deadline=None)
def test_a_form_with_words_around_it_is_read(question: str, answer: str) -> None:
    import json

    reply = f"Sure!\n{json.dumps({'question': question, 'answer': answer, 'more': 1})}\nThere."
    found = read_form(reply, QuestionAnswer)
    assert (found.question, found.answer) == (question, answer)
