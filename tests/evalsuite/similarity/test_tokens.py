"""Normalising and tokenising."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalsuite.similarity.shingles import shingles, unique_per_row
from evalsuite.similarity.tokens import (
    joined,
    normalise,
    only_symbols,
    sequence_hashes,
    tokenise,
    words,
)


def same(left: str, right: str) -> bool:
    one, other = sequence_hashes(tokenise(pl.Series([left, right]))).tolist()
    return bool(one == other)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Hello, World!", "hello world"),
        ("ＡＢＣ　１２", "abc 12"),
        ("Straße", "STRASSE"),
        ("2 × 3", "2 * 3"),
        ("٣ apples", "3 apples"),
        ("a  b\n\tc", "a b c"),
    ],
)
def test_case_width_and_punctuation_do_not_matter(left: str, right: str) -> None:
    assert same(left, right)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("J << a", "J >> a"),
        ("sqrt(2), sqrt(3)", "sqrt(2)*sqrt(3)"),
        ("What is 3 + 4?", "What is 3 + 5?"),
        ("What is 3 + 4?", "What is 3 - 4?"),
        ("3 * 4 + 2", "3 * 2 + 4"),
        ("1.5", "15"),
        ("x != 3", "x = 3"),
        ("on [0, 1]", "on (0, 1)"),
        ("f'(0)", "f(0)"),
        ("5 -3", "5 3"),
    ],
)
def test_digits_operators_and_brackets_always_matter(left: str, right: str) -> None:
    assert not same(left, right)


def test_scripts_without_spaces_are_cut_into_characters() -> None:
    assert words(pl.Series(["我爱你 abc"])).to_list() == [["我", "爱", "你", "abc"]]


def test_texts_without_any_word_stay_different() -> None:
    assert not same("🙂", "🙁")
    assert same("🙂", "🙂 ")


def test_numbers_and_operators_are_marked() -> None:
    table = only_symbols(tokenise(pl.Series(["add 12 and 7 <= x_1", "plain words"])))
    assert table.lengths.tolist() == [5, 0]


def test_joining_tables_keeps_each_row_together() -> None:
    left, right = tokenise(pl.Series(["a b", "", "c"])), tokenise(pl.Series(["d", "e f", ""]))
    whole = tokenise(pl.Series(["a b d", "e f", "c"]))
    assert sequence_hashes(joined(left, right)).tolist() == sequence_hashes(whole).tolist()


def test_a_row_shorter_than_the_shingle_is_one_shingle() -> None:
    table = shingles(tokenise(pl.Series(["a b c d", "a b", "", "b a"])), 3)
    assert table.lengths.tolist() == [2, 1, 0, 1]
    assert table.hashes[2] != table.hashes[3]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(max_size=30), max_size=12))
def test_any_text_can_be_tokenised(texts: list[str]) -> None:
    table = tokenise(pl.Series(texts, dtype=pl.String))
    assert len(table) == len(texts)
    assert table.offsets[-1] == table.hashes.size
    assert len(normalise(pl.Series(texts, dtype=pl.String))) == len(texts)
    sets = unique_per_row(table)
    assert (sets.lengths <= table.lengths).all()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(max_size=40), min_size=1, max_size=8))
def test_blocks_do_not_change_the_hashes(texts: list[str]) -> None:
    series = pl.Series(texts, dtype=pl.String)
    parts = tokenise(series.slice(i, 1) for i in range(len(series)))
    assert np.array_equal(parts.hashes, tokenise(series).hashes)
