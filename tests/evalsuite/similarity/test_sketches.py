"""Sets of grams are found by their sketches, whatever their size."""

from __future__ import annotations

import random

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalsuite.similarity.characters import distinct_grams
from evalsuite.similarity.leaks import Searched
from evalsuite.similarity.minhash import Bands
from evalsuite.similarity.sketches import Sketches, candidates_among
from evalsuite.similarity.tokens import TokenTable, joined, starts, tokenise, words


def table(sets: list[set[int]]) -> TokenTable:
    hashes = [np.array(sorted(one), np.uint64) for one in sets]
    lengths = np.array([one.size for one in hashes])
    return TokenTable(np.concatenate([np.empty(0, np.uint64), *hashes]), starts(lengths))


def grams_in(texts: pl.Series) -> list[int]:
    asked = words(texts).list.join(" ").to_list()
    return [len({text[i : i + 4] for i in range(len(text) - 3)}) for text in asked]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=40), max_size=6))
def test_grams_are_those_of_the_tokens_joined_by_spaces(texts: list[str]) -> None:
    series = pl.Series(texts, dtype=pl.String)
    assert distinct_grams(series, 4).lengths.tolist() == grams_in(series)


def test_grams_of_ascii_are_numbered_one_to_one() -> None:
    rng = random.Random(0)
    text = "".join(rng.choices("abcdefghij 0123456789+*", k=50_000))
    series = pl.Series([text, "a" * 1000, "", "?!", "don't (x'(y)"])
    assert distinct_grams(series, 4).lengths.tolist() == grams_in(series)


@pytest.mark.parametrize("size", [20, 100, 127, 128, 200, 500, 3_000])
@pytest.mark.parametrize(("threshold", "bands"), [(0.8, Bands(32, 6)), (0.6, Bands(40, 4))])
def test_pairs_above_the_threshold_are_found_at_every_size(
    size: int, threshold: float, bands: Bands
) -> None:
    rng = random.Random(size)
    likeness = threshold + 0.05
    rows, items = [], []
    for _ in range(150):
        shared = {rng.getrandbits(32) for _ in range(size)}
        other = round(size * (1 / likeness - 1) / 2)
        rows.append(shared | {rng.getrandbits(32) for _ in range(other)})
        items.append(shared | {rng.getrandbits(32) for _ in range(other)})
    sketches = Sketches.of(table(rows), bands)
    found = candidates_among(sketches, table(items), bands, threshold)
    pairs = set(zip(found.first.tolist(), found.second.tolist(), strict=True))
    assert sum((n, n) in pairs for n in range(150)) >= 149
    assert len(pairs) < 200  # unrelated sets are hardly ever compared


def test_some_of_the_rows_have_the_leaks_they_have_among_all() -> None:
    rng = random.Random(1)
    vocabulary = ["".join(rng.choices("abcdefgh", k=6)) for _ in range(300)]
    prompts = [" ".join(rng.choices(vocabulary, k=rng.choice([8, 60]))) for _ in range(40)]
    prompts += [f"Solve this.\n\n{prompts[3]}", f"Q: {prompts[5]}\nA: no", prompts[7] + "x"]
    items = pl.Series(prompts[:10])
    answers = pl.Series([""] * 10)
    asked = tokenise(pl.Series(prompts))
    whole = joined(asked, tokenise(pl.Series([""] * len(prompts))))
    searched = Searched.of(pl.Series(prompts), whole, asked=asked)
    chosen = np.array([1, 3, 12, 40, 41, 42])
    every, some = searched.leaks(items, answers), searched.take(chosen).leaks(items, answers)
    expected = [
        (row, item)
        for row, item in zip(every.row.tolist(), every.item.tolist(), strict=True)
        if row in chosen
    ]
    assert [*zip(chosen[some.row].tolist(), some.item.tolist(), strict=True)] == expected
    assert (40, 3) in expected and (41, 5) in expected and (42, 7) in expected
