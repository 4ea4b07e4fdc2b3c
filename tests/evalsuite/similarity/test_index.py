"""Near-duplicates: equal to brute force on small inputs, high recall by candidates on larger."""

from __future__ import annotations

import math
import random

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalsuite.similarity import index as index_module
from evalsuite.similarity.cluster import components, greedy_keep
from evalsuite.similarity.index import Index, build_index
from evalsuite.similarity.shingles import unique_per_row
from evalsuite.similarity.tokens import joined, tokenise, words
from evalsuite.similarity.verify import Weights

WORDS = ["red", "blue", "green", "cat", "dog", "runs", "sleeps", "over", "under", "3", "4", "+"]
LINE = st.lists(st.sampled_from(WORDS), max_size=8).map(" ".join)


def index_of(prompts: list[str], answers: list[str] | None = None) -> Index:
    answers = answers if answers is not None else [""] * len(prompts)
    return build_index(tokenise(pl.Series(prompts)), tokenise(pl.Series(answers)), loosest=0.5)


def brute_force(prompts: list[str], threshold: float) -> list[int]:
    """Keep each row unless a kept earlier one is a copy; written with sets, without the index."""
    lists = [tuple(tokens) for tokens in words(pl.Series(prompts, dtype=pl.String)).to_list()]
    first = {tokens: place for place, tokens in reversed(list(enumerate(lists)))}
    chiefs = sorted(first[tokens] for tokens in first if tokens)
    counts = {w: sum(w in lists[chief] for chief in chiefs) for t in lists for w in t}
    weight = {w: math.log1p((len(chiefs) + 500) / (n + 5)) ** 2 for w, n in counts.items()}

    def total(tokens: set[str]) -> float:
        return sum(weight[word] for word in tokens)

    def is_symbol(word: str) -> bool:
        return word in {"3", "4", "+"}

    def copy(a: int, b: int) -> bool:
        if lists[a] == lists[b]:
            return True
        left, right = set(lists[a]), set(lists[b])
        shared, apart = left & right, left ^ right
        if not left or not right:
            return False
        plain = len(shared) / math.sqrt(len(left) * len(right))
        rare = total(shared) / math.sqrt(total(left) * total(right))
        symbols = [[w for w in lists[row] if is_symbol(w)] for row in (a, b)]
        if sorted(symbols[0]) != sorted(symbols[1]):
            return False
        variant = symbols[0] != symbols[1] and not apart
        return min(plain, rare) >= threshold and not variant

    kept: list[int] = []
    partner = [-1] * len(prompts)
    for chief in sorted({first[tokens] for tokens in lists}):
        partner[chief] = next((k for k in kept if copy(k, chief)), -1)
        if partner[chief] < 0:
            kept.append(chief)
    for row, tokens in enumerate(lists):
        chief = first[tokens]
        if row != chief:
            partner[row] = partner[chief] if partner[chief] >= 0 else chief
    return partner


@settings(max_examples=60, deadline=None)
@given(st.lists(LINE, min_size=1, max_size=20), st.sampled_from([0.61, 0.73, 0.87]))
def test_near_duplicates_equal_brute_force(prompts: list[str], threshold: float) -> None:
    rows = np.arange(len(prompts))
    partner, _ = index_of(prompts).near_duplicates(rows, rows, threshold)
    assert partner.tolist() == brute_force(prompts, threshold)


@settings(max_examples=40, deadline=None)
@given(st.lists(LINE, min_size=1, max_size=20), st.randoms(use_true_random=False))
def test_every_cluster_keeps_a_row_and_drops_point_at_kept_ones(
    prompts: list[str], rng: random.Random
) -> None:
    rows = np.arange(len(prompts))
    rank = np.array(rng.sample(range(len(prompts)), len(prompts)))
    partner, score = index_of(prompts).near_duplicates(rows, rank, 0.7)
    kept = partner < 0
    assert kept.any()
    assert kept[partner[~kept]].all()
    assert (score[~kept] >= 0.7 - 1e-9).all()


def planted(count: int, rate: float, seed: int = 0) -> tuple[list[str], list[int]]:
    """Return rows of random words and edited copies of them, with the row each is a copy of."""
    rng = random.Random(seed)
    letters = "abcdefghijklmnopqrstuvwxyz"
    vocabulary = ["".join(rng.choices(letters, k=6)) for _ in range(3000)]
    rows = [rng.choices(vocabulary, k=rng.randint(30, 60)) for _ in range(count)]
    origin = [-1] * count
    for row in range(0, count, 2):
        edited = [rng.choice(vocabulary) if rng.random() < rate else word for word in rows[row]]
        rows.append(edited)
        origin.append(row)
    return [" ".join(row) for row in rows], origin


def test_candidates_find_edited_copies_and_nothing_else() -> None:
    prompts, origin = planted(600, 0.1)
    rows = np.arange(len(prompts))
    partner, _ = index_of(prompts).near_duplicates(rows, rows, 0.8)
    found = [place for place in range(len(prompts)) if partner[place] >= 0]
    wanted = [place for place in range(len(prompts)) if origin[place] >= 0]
    assert set(found) <= set(wanted)
    assert len(found) >= 0.95 * len(wanted)
    assert all(partner[place] == origin[place] for place in found)


def test_candidates_lose_nothing_that_all_pairs_would_find(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prompts, _ = planted(300, 0.15)
    by_candidates = index_of(prompts)
    monkeypatch.setattr(index_module, "SMALL", 10_000)
    by_all_pairs = index_of(prompts)
    rows = np.arange(len(prompts))
    few, _ = by_candidates.near_duplicates(rows, rows, 0.75)
    every, _ = by_all_pairs.near_duplicates(rows, rows, 0.75)
    assert few.tolist() == every.tolist()


def test_rows_that_differ_only_in_numbers_are_kept() -> None:
    template = "A farmer has {} cows and buys {} more cows at the market. How many cows are there?"
    prompts = [template.format(a, b) for a in range(3, 9) for b in (11, 12)]
    rows = np.arange(len(prompts))
    partner, _ = index_of(prompts).near_duplicates(rows, rows, 0.6)
    assert (partner < 0).all()


def test_a_negation_makes_another_row() -> None:
    prompts = ["Which of these pairs of ratios can form a proportion in the table"]
    prompts += [prompts[0].replace("can form", "cannot form")]
    partner, _ = index_of(prompts).near_duplicates(np.arange(2), np.arange(2), 0.6)
    assert (partner < 0).all()


def test_a_different_short_answer_is_not_a_duplicate() -> None:
    ticket = "The parcel that I ordered last week has still not arrived at my house"
    index = index_of([ticket, ticket + " yet", ticket], ["shipping", "shipping", "billing"])
    partner, _ = index.near_duplicates(np.arange(3), np.arange(3), 0.7)
    assert partner.tolist() == [-1, 0, -1]


def test_the_row_of_the_best_rank_stays() -> None:
    index = index_of(["one two three four five six seven", "one two three four five six seven now"])
    partner, _ = index.near_duplicates(np.arange(2), np.array([1, 0]), 0.7)
    assert partner.tolist() == [1, -1]


def test_ten_thousand_equal_rows_are_one_class() -> None:
    index = index_of(["the same text again and again"] * 10_000)
    rows = np.arange(10_000)
    partner, _ = index.near_duplicates(rows, rows, 0.8)
    assert partner[0] == -1
    assert (partner[1:] == 0).all()


def test_chains_do_not_drag_rows_out() -> None:
    first, second = np.array([0, 1]), np.array([1, 2])
    assert greedy_keep(3, first, second, np.arange(3)).tolist() == [-1, 0, -1]
    assert components(3, first, second).tolist() == [0, 0, 0]


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=40))
def test_components_equal_union_find(pairs: list[tuple[int, int]]) -> None:
    label = list(range(31))
    for a, b in pairs * 31:
        low = min(label[a], label[b])
        label[a] = label[b] = low
    first = np.array([a for a, _ in pairs], np.int64)
    second = np.array([b for _, b in pairs], np.int64)
    assert components(31, first, second).tolist() == label


def test_a_small_corpus_weighs_words_nearly_alike() -> None:
    table = tokenise(pl.Series(["common rare", "common other", "common third"]))
    weights = Weights.learn(unique_per_row(joined(table, tokenise(pl.Series([""] * 3)))))
    values = weights.of(unique_per_row(table).hashes)
    assert values.max() / values.min() < 1.2
