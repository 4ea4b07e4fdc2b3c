"""Evaluation items in training rows."""

from __future__ import annotations

import random

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalsuite.similarity.coverage import cover
from evalsuite.similarity.leaks import Leaks, Tier, find_leaks
from evalsuite.similarity.tokens import joined, tokenise

STORY = (
    "Natalia sold clips to forty eight of her friends in April and then she sold half as many "
    "clips in May how many clips did Natalia sell altogether in April and May"
)


def leaks(
    prompts: list[str], items: list[str], says: list[str] | None = None, gold: str = ""
) -> Leaks:
    answers = tokenise(pl.Series(says or [""] * len(prompts)))
    whole = joined(tokenise(pl.Series(prompts)), answers)
    golds = pl.Series([gold] * len(items))
    return find_leaks(pl.Series(prompts), whole, pl.Series(items), golds)


def tiers(found: Leaks) -> list[tuple[int, int, Tier]]:
    return [
        (row, item, Tier(tier))
        for row, item, tier in zip(
            found.row.tolist(), found.item.tolist(), found.tier.tolist(), strict=True
        )
    ]


def test_an_equal_prompt_is_found_whatever_its_case_and_length() -> None:
    found = leaks(["Why?", "hello THERE", "something else"], ["why", "Hello there!"])
    assert tiers(found) == [(0, 0, Tier.EXACT), (1, 1, Tier.EXACT)]


def test_an_item_inside_a_longer_row_is_found_with_its_longest_run() -> None:
    found = leaks(["Please think step by step. " + STORY + " Thank you very much."], [STORY])
    assert tiers(found) == [(0, 0, Tier.NGRAM)]
    assert found.run.tolist() == [len(STORY.split())]
    assert found.score.tolist() == [1.0]


def test_an_item_in_the_answer_is_found() -> None:
    found = leaks(["Invent an exercise for school."], [STORY], says=[STORY])
    assert tiers(found) == [(0, 0, Tier.NGRAM)]


def test_half_an_item_is_a_leak_only_with_its_answer() -> None:
    part = " ".join(STORY.split()[:24])
    item = [STORY]
    assert tiers(leaks([part], item, says=["the answer is 72"], gold="72")) == [(0, 0, Tier.NGRAM)]
    assert tiers(leaks([part], item, says=["no idea at all"], gold="72")) == []


def test_a_short_question_inside_another_question_is_no_leak() -> None:
    item = "How long does it take for a transfer?"
    assert not tiers(leaks(["How long does it take for a transfer to reach my account?"], [item]))


def test_typos_are_found_by_characters() -> None:
    item = "Where can I find the auto top-up feature of my card?"
    found = leaks(["Where can i find the auto top up featrue of my card"], [item])
    assert tiers(found) == [(0, 0, Tier.NEAR)]


def test_rows_compared_in_blocks_have_the_same_leaks(monkeypatch: pytest.MonkeyPatch) -> None:
    item = "Where can I find the auto top-up feature of my card?"
    near = "Where can i find the auto top up featrue of my card"
    prompts = ["a b", near, "", "Something else is asked here.", near, "How do I cook rice?"]
    whole = leaks(prompts, [item, STORY])
    monkeypatch.setattr("evalsuite.similarity.leaks.BLOCK_ROWS", 2)
    blocks = leaks(prompts, [item, STORY])
    assert tiers(blocks) == tiers(whole) == [(1, 0, Tier.NEAR), (4, 0, Tier.NEAR)]
    assert blocks.score.tolist() == whole.score.tolist()


def test_other_numbers_make_another_question() -> None:
    template = "A train leaves at {} and needs {} minutes to the next town. When does it arrive?"
    assert not tiers(leaks([template.format(9, 25)], [template.format(8, 40)]))


def test_a_ticket_under_an_instruction_is_found() -> None:
    ticket = "My printer eats the paper and blinks red since Monday."
    prompts = [f"Which team?\n\n{ticket}", "Which team?\n\nI cannot log in any more."]
    assert tiers(leaks(prompts, [ticket])) == [(0, 0, Tier.EXACT)]


def test_an_instruction_that_all_items_share_is_no_leak() -> None:
    instruction = "Read the ticket below and answer with one word, the team"
    topics = ["the printer", "the parcel", "a refund", "a login", "the shop", "an invoice"]
    items = [f"{instruction}\n\nPlease help me with {topic} now" for topic in topics]
    found = leaks([f"{instruction}\n\nHow do I cook rice without a lid on it?"], items)
    assert tiers(found) == []


def brute_coverage(row: list[str], item: list[str], n: int) -> tuple[float, int]:
    grams = {tuple(row[i : i + n]) for i in range(len(row) - n + 1)}
    hits = [tuple(item[i : i + n]) in grams for i in range(len(item) - n + 1)]
    longest = run = 0
    for hit in hits:
        run = run + 1 if hit else 0
        longest = max(longest, run)
    return float(any(hits)), longest + n - 1 if longest else 0


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_coverage_equals_brute_force(seed: int) -> None:
    rng = random.Random(seed)
    rows = [rng.choices("abc", k=rng.randint(0, 12)) for _ in range(4)]
    items = [rng.choices("abc", k=rng.randint(3, 9)) for _ in range(3)]
    table = [tokenise(pl.Series([" ".join(x) for x in texts])) for texts in (rows, items)]
    found = cover(table[0], table[1], 3, 1e-6)
    runs = dict(
        zip(zip(found.row.tolist(), found.item.tolist(), strict=True), found.run, strict=True)
    )
    for r, row in enumerate(rows):
        for i, item in enumerate(items):
            any_hit, run = brute_coverage(row, item, 3)
            assert ((r, i) in runs) == bool(any_hit)
            if any_hit:
                assert runs[r, i] == run
    assert (found.share <= 1 + 1e-9).all()


def test_a_whole_item_is_covered_whatever_the_weights() -> None:
    rows = tokenise(pl.Series([STORY, STORY, "nothing of the kind at all in this other row"]))
    found = cover(rows, tokenise(pl.Series([STORY])), 8, 0.9)
    assert found.row.tolist() == [0, 1]
    assert np.allclose(found.share, 1.0)


def test_a_short_question_on_a_line_of_its_own_is_found() -> None:
    items = ["What is love?", "Which card do I need for the trip?"]
    prompts = [
        "Q: What is love?\nA: Baby, do not hurt me.\nTrue:",
        "Read this.\nWhich card do I need for the trip?\nAnswer in one word.",
        "Tell me what is love? said the poet\nand went on",
        "Some text.\nWhat is love?\nMore text.",
    ]
    assert tiers(leaks(prompts, items)) == [(0, 0, Tier.EXACT), (1, 1, Tier.EXACT)]
