"""Texts without the template that all of their origin share."""

from __future__ import annotations

import polars as pl
import pytest

from evalsuite.similarity.wrappers import bare

TEXTS = ["my card was declined today", "the old printer is silent", "where does the bus stop"]


@pytest.mark.parametrize("template", ["Which team? {}", "{} Answer in one word.", "Q: {}\nA:"])
def test_a_template_on_either_side_is_taken_away(template: str) -> None:
    found = bare(pl.Series([template.format(text) for text in TEXTS]))
    assert set(zip(found.texts.to_list(), found.owner.tolist(), strict=True)) >= set(
        zip(TEXTS, range(3), strict=True)
    )


def test_questions_that_begin_and_end_alike_keep_what_is_theirs() -> None:
    tickets = [f"My {thing} is broken again." for thing in ("red lamp", "old door", "new bell")]
    found = bare(pl.Series([f"Which team? {ticket} One word." for ticket in tickets]))
    assert {ticket.rstrip(".") for ticket in tickets} <= set(found.texts.to_list())


def test_a_short_question_counts_where_the_template_ends_before_it() -> None:
    asked = ("reset my password", "close the account", "send it again")
    assert bare(pl.Series([f"Which team? {one}" for one in asked])).texts.to_list() == list(asked)
    assert not bare(pl.Series([f"I want to {one}" for one in asked])).owner.size


def test_every_origin_has_a_template_of_its_own() -> None:
    texts = pl.Series([*(f"Which team? {text}" for text in TEXTS), *TEXTS, None, ""])
    found = bare(texts, pl.Series(["a"] * 3 + ["b"] * 5))
    assert (found.texts.to_list(), found.owner.tolist()) == (TEXTS, [0, 1, 2])
    assert not bare(texts).owner.size


@pytest.mark.parametrize(
    "texts",
    [
        ["Which team? my card was declined", "Which team? the printer is silent"],
        [f"{text}?" for text in TEXTS],
        [f"{text} on {number}5.50" for number, text in enumerate(TEXTS)],
        ["Define: cat", "Define: old dog", "Define: cow"],
        [f"How many live in {place} now" for place in ("New York City", "San Jose West", "Rome")],
        [],
    ],
)  # fmt: skip
def test_two_texts_common_marks_halves_of_words_and_single_words_are_no_template(
    texts: list[str],
) -> None:
    assert not bare(pl.Series(texts, dtype=pl.String)).owner.size


def test_a_late_row_without_the_template_is_seen() -> None:
    texts = [f"Which team? {text} {number}" for number in range(200) for text in TEXTS]
    assert bare(pl.Series(texts)).owner.tolist() == list(range(len(texts)))
    assert not bare(pl.Series([*texts, "a row of another kind"])).owner.size
