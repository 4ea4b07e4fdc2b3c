"""The compiled kernel gives bit for bit what numpy gives."""

from __future__ import annotations

import shutil
import string
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalsuite.similarity import kernel, minhash, shingles, tokens, verify
from evalsuite.similarity.edges import Candidates
from evalsuite.similarity.minhash import Bands, band_keys
from evalsuite.similarity.shingles import unique_of
from evalsuite.similarity.tokens import Joined, TokenTable, starts, tokenise
from evalsuite.similarity.verify import Weights, overlap

needs_kernel = pytest.mark.skipif(kernel.library() is None, reason="there is no kernel here")

PIECES = (
    *("-5", "3.14", ".5", "-.5", "..5", "5..3", "1,234.5", "5.", ",5", "5,-3", "a5", "5a", "--5"),
    *("!=", "==", "!==", "=!", "a+b", "++", "not", "NOT", "can't", "cannot", "never!", "_x_", "__"),
    *("x" * 16, "x" * 17, "Q" * 40, "1" * 17, "12,345,678,901,234.5", "\x00", "\x7f", "\t", "a'(b"),
    *(
        "I'm",
        "é",
        "日本",
        "",
        " ",
        "\n",
        "the",
        "Of",
        "to-day",
        "x^2*3",
        "#[1]",
        "{k}",
        "50%",
        "~/",
    ),
)
ascii_texts = st.text(string.ascii_letters + string.digits + " -.,!=+'_(x\n", max_size=40)
texts = st.one_of(ascii_texts, st.lists(st.sampled_from(PIECES), max_size=9).map(" ".join))
glued = st.lists(st.sampled_from(PIECES), max_size=6).map("".join)


def test_the_kernel_was_compiled_where_a_compiler_is() -> None:
    assert (kernel.library() is not None) >= (shutil.which("cc") is not None)


def test_a_kernel_of_another_source_is_not_found(tmp_path: Path) -> None:
    changed = tmp_path / "kernel.c"
    changed.write_bytes(kernel.SOURCE.read_bytes() + b"\n")
    assert kernel.library_path(changed).name != kernel.library_path().name


@needs_kernel
@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(texts, glued), min_size=1, max_size=12))
def test_tokens_are_those_that_numpy_finds(rows: list[str]) -> None:
    series = pl.Series(rows, dtype=pl.String)
    compiled = tokenise(series)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tokens, "library", lambda: None)
        plain = tokenise(series)
    assert compiled.offsets.tolist() == plain.offsets.tolist()
    assert compiled.hashes.tolist() == plain.hashes.tolist()


@needs_kernel
def test_words_of_every_length_are_cut_and_hashed_as_numpy_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    word = "aZbYcXdWeVfUgThSiRjQkPlOmNn_MoLp"
    ends = [word[:size] for size in range(1, len(word))]
    rows = [f"{before}{word}" for word in ends for before in ("", "no ", "7", "[")]
    compiled = tokenise(pl.Series([*rows, "".join(ends), *ends]))
    monkeypatch.setattr(tokens, "library", lambda: None)
    plain = tokenise(pl.Series([*rows, "".join(ends), *ends]))
    assert compiled.offsets.tolist() == plain.offsets.tolist()
    assert compiled.hashes.tolist() == plain.hashes.tolist()


def test_without_a_kernel_the_keys_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    table = tokenise(pl.Series(["the quick brown fox 3 + 4", "it is not so", "no"]))
    seen = []
    for library in (kernel.library(), None):
        monkeypatch.setattr(minhash, "library", lambda found=library: found)
        seen.append(band_keys(table, 2, Bands(3, 2)).tolist())
    assert seen[0] == seen[1]
    assert len({tuple(band) for band in seen[0]}) == 3


@needs_kernel
@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=50),
    st.integers(1, 9),
    st.sampled_from([Bands(48, 2), Bands(8, 3), Bands(5, 1), Bands(32, 6)]),
    st.booleans(),
    st.integers(0, 2**32 - 1),
)
def test_band_keys_are_those_of_numpy(
    lengths: list[int], shingle: int, bands: Bands, two: bool, seed: int
) -> None:
    random = np.random.default_rng(seed)

    def table(sizes: np.ndarray[tuple[int], np.dtype[np.int64]]) -> TokenTable:
        return TokenTable(random.integers(0, 2**64, sizes.sum(), dtype=np.uint64), starts(sizes))

    sizes = np.array(lengths)
    made: TokenTable | Joined = table(sizes)
    if two:
        rows = random.permutation(sizes.size)[: max(1, sizes.size // 2)]
        made = Joined(table(sizes), table(np.array(lengths[::-1]) - 1), rows)
    compiled = band_keys(made, shingle, bands)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(minhash, "library", lambda: None)
        plain = band_keys(made, shingle, bands)
    assert np.array_equal(compiled, plain)


@needs_kernel
def test_many_rows_are_cut_into_parts_that_fit_together(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(3)
    words = [f"word{number}" for number in range(500)] + ["antidisestablishmentarianism", "-4.5"]
    rows = [" ".join(random.choice(words, random.integers(0, 30))) for _ in range(5_000)]
    monkeypatch.setattr("evalsuite.similarity.plain_text._COMPILED_BYTES", 3_000)
    compiled = tokenise(pl.Series(rows))
    full = np.flatnonzero(compiled.lengths)
    keys = band_keys(compiled.take(full), 2, Bands())
    monkeypatch.setattr(tokens, "library", lambda: None)
    monkeypatch.setattr(minhash, "library", lambda: None)
    plain = tokenise(pl.Series(rows))
    assert np.array_equal(compiled.hashes, plain.hashes)
    assert np.array_equal(keys, band_keys(plain.take(full), 2, Bands()))


@needs_kernel
@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.one_of(st.integers(0, 60), st.just(1_500)), min_size=2, max_size=30),
    st.integers(1, 80),
    st.booleans(),
    st.integers(0, 2**32 - 1),
)
def test_sets_and_what_they_share_are_those_of_numpy(
    lengths: list[int], words: int, weighed: bool, seed: int
) -> None:
    random = np.random.default_rng(seed)
    vocabulary = random.integers(0, 2**64, words, dtype=np.uint64)

    def table() -> TokenTable:
        return TokenTable(random.choice(vocabulary, sum(lengths)), starts(np.array(lengths)))

    both = Joined(table(), table(), random.permutation(len(lengths)))
    rows = random.integers(0, len(lengths), 40)
    pairs = Candidates(random.integers(0, 40, 90), random.integers(0, 40, 90), 0)
    compiled = unique_of(both, rows)
    weights = Weights.learn(compiled) if weighed else None
    compared = overlap(compiled, compiled, pairs, weights)
    with pytest.MonkeyPatch.context() as patch:
        for module in (shingles, verify):
            patch.setattr(module, "library", lambda: None)
        plain = unique_of(both, rows)
        expected = overlap(plain, plain, pairs, weights)
    assert np.array_equal(compiled.hashes, plain.hashes)
    assert np.array_equal(compiled.offsets, plain.offsets)
    for name, value in vars(expected).items():
        assert np.array_equal(getattr(compared, name), value), name


@needs_kernel
@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 2**64 - 1), max_size=9), max_size=30),
    st.integers(1, 40),
)
def test_rows_are_hashed_as_numpy_does(rows: list[list[int]], piece: int) -> None:
    flat = np.array([token for row in rows for token in row], np.uint64)
    table = TokenTable(flat, starts(np.array([len(row) for row in rows], np.int64)))
    found = []
    for library in (kernel.library(), None):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(tokens, "library", lambda found=library: found)
            patch.setattr(tokens, "_PIECE_TOKENS", piece)
            symbols = tokens.only_symbols(table)
            found.append(
                (
                    tokens.sequence_hashes(table).tolist(),
                    tokens.bags(table).tolist(),
                    symbols.hashes.tolist(),
                    symbols.offsets.tolist(),
                )
            )
    assert found[0] == found[1]
    assert found[0][2] == [token for row in rows for token in row if token & 1]
