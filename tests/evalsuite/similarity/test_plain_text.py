"""The fast way for ASCII text: the same tokens as by regular expression."""

from __future__ import annotations

import numpy as np
import polars as pl
import polars_hash as plh
from hypothesis import example, given, settings
from hypothesis import strategies as st

from evalsuite.similarity import tokens as tokens_module
from evalsuite.similarity.tokens import tokenise
from evalsuite.similarity.xxh3 import LONGEST, PADDING, hash_spans

WORDS = [
    "can't",
    "CANNOT",
    "I'm",
    "don't",
    "No",
    "x_1",
    "1,234.5",
    "-.5",
    "1..2",
    "!==",
    "''(",
    "f'(0)",
    "3.-4",
    "--5",
    "1.2.3",
    "é",
    "我",
    "🙂",
    "aaaaaaaaaaaaaaaaaaaa",
    ",",
    ".",
    "!",
    "=",
    "?",
]
PIECES = st.sampled_from([*WORDS, " ", "\n", "\x00"])
TEXT = st.one_of(
    st.text(st.characters(max_codepoint=127), max_size=40),
    st.lists(PIECES, max_size=12).map("".join),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(TEXT, min_size=1, max_size=8))
@example(["5.", ".5", "5"])
@example(["", "?!", "a"])
def test_ascii_text_has_the_tokens_of_the_regular_expression(texts: list[str]) -> None:
    series = pl.Series(texts, dtype=pl.String)
    fast = tokenise(series)
    hashes, lengths = tokens_module._tokenise_any(series)
    assert fast.lengths.tolist() == lengths.tolist()
    assert np.array_equal(fast.hashes, hashes)


@given(st.lists(st.binary(min_size=1, max_size=LONGEST), min_size=1, max_size=20))
def test_hashes_equal_the_librarys(spans: list[bytes]) -> None:
    words = [span.hex()[: len(span)] for span in spans]
    text = np.frombuffer("".join(words).encode() + bytes(PADDING), np.uint8)
    sizes = np.array([len(word) for word in words])
    found = hash_spans(text, np.cumsum(sizes) - sizes, sizes)
    table = pl.Series("word", words).to_frame()
    wanted = table.select(plh.col("word").nchash.xxh3_64())["word"].to_numpy()
    assert found.tolist() == wanted.tolist()
