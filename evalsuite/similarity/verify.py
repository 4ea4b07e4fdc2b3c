"""The true similarity of candidate pairs; nothing is decided on an estimate.

Measured on planted pairs, no Jaccard threshold separates "a fifth of the words edited" from "same
boilerplate, other body"; the cosine over words weighted by inverse document frequency does, since
what two rows of one template share is exactly what is common.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evalsuite.similarity import kernel
from evalsuite.similarity.edges import Candidates
from evalsuite.similarity.kernel import in_threads, library
from evalsuite.similarity.shingles import unique_per_row
from evalsuite.similarity.tokens import Hashes, TokenTable

Scores = NDArray[np.float64]

_CHUNK = 1 << 12
_AT_ONCE = 32
_BUCKET_BITS = 22
# A corpus of a few rows says nothing about which words are rare: this many imagined rows, one in
# a hundred of which holds any given word, pull the weights of a small corpus together.
PRIOR_ROWS = 500.0
PRIOR_SHARE = 0.01


@dataclass(frozen=True)
class Weights:
    """Squared inverse document frequency of every token, in a table of hashed buckets."""

    table: NDArray[np.float32]
    """Weight of a bucket, shape (2**22,). Two words share one about once in four million."""

    @classmethod
    def learn(cls, sets: TokenTable, of_rows: int | None = None) -> Weights:
        """Count in how many rows of `sets` (from `unique_per_row`) each token is.

        Args:
            sets: all rows, or a sample of them.
            of_rows: how many rows the sample stands for.
        """
        counted = np.bincount(_bucket(sets.hashes), minlength=1 << _BUCKET_BITS)
        stands_for = of_rows / max(len(sets), 1) if of_rows else 1.0
        # Few different counts occur: each is worked out once.
        counts = np.arange(int(counted.max()) + 1) * stands_for
        rows = len(sets) * stands_for + PRIOR_ROWS
        rarity = np.log1p(rows / (counts + PRIOR_ROWS * PRIOR_SHARE))
        return cls((rarity**2).astype(np.float32)[counted])

    def of(self, hashes: Hashes) -> Scores:
        """Return the weight of each token hash of a set."""
        return self.table[_bucket(hashes)].astype(np.float64)


def _bucket(hashes: Hashes) -> NDArray[np.int64]:
    return ((hashes >> np.uint64(1)) & np.uint64((1 << _BUCKET_BITS) - 1)).astype(np.int64)


@dataclass(frozen=True)
class Overlap:
    """What the rows of each pair share and where they differ, in summed weights, shape (pairs,)."""

    shared: Scores
    first: Scores
    """Sum over all tokens of the first row."""
    second: Scores
    symbols_differ: Scores
    """Sum over the numbers and operators that only one of the two has."""
    words_differ: Scores
    """Sum over the words that only one of the two has."""
    plain_cosine: Scores
    """Cosine of the sets without weights."""

    @property
    def cosine(self) -> Scores:
        """Cosine of the weighted sets; 0 where a row is empty."""
        return _ratio(self.shared, np.sqrt(self.first * self.second))

    @property
    def jaccard(self) -> Scores:
        """Weighted Jaccard similarity; 0 where both rows are empty."""
        return _ratio(self.shared, self.first + self.second - self.shared)


def _ratio(above: Scores, below: Scores) -> Scores:
    return np.divide(above, below, out=np.zeros_like(above), where=below > 0)


def _row_sums(values: Scores, table: TokenTable) -> Scores:
    total = np.concatenate([[0.0], np.cumsum(values)])
    return np.asarray(total[table.offsets[1:]] - total[table.offsets[:-1]])


def _shared(
    left: TokenTable, right: TokenTable, first: NDArray[np.int64], second: NDArray[np.int64]
) -> tuple[NDArray[np.int64], Hashes]:
    """Return, for up to 2**12 pairs, each token that both rows have with the number of its pair."""
    pair = np.arange(first.size, dtype=np.uint64)
    keys = []
    for table, rows in ((left, first), (right, second)):
        taken = table.take(rows)
        keys.append(np.repeat(pair, taken.lengths) << np.uint64(40) | taken.hashes)
    both = np.concatenate(keys)
    both.sort()
    twice = both[1:][both[1:] == both[:-1]]
    return (twice >> np.uint64(40)).astype(np.int64), twice & np.uint64((1 << 40) - 1)


def _weighed(
    table: TokenTable, rows: NDArray[np.int64], weigh: Callable[[Hashes], Scores]
) -> tuple[Scores, Scores]:
    """Return for each of `rows` the weight of all its tokens, and of its symbols."""
    used, place = np.unique(rows, return_inverse=True)  # each is weighed once
    whole, symbols = np.empty((2, used.size))

    def sums(begin: int) -> None:
        some = slice(begin, begin + _CHUNK)
        taken = table.take(used[some])
        values = weigh(taken.hashes)
        whole[some] = _row_sums(values, taken)
        symbols[some] = _row_sums(values * (taken.hashes & np.uint64(1)), taken)

    in_threads(sums, range(0, used.size, _CHUNK))
    return whole[place], symbols[place]


def overlap(
    left: TokenTable,
    right: TokenTable,
    pairs: Candidates,
    weights: Weights | None = None,
    tick: Callable[[int, int, str], None] = lambda done, total, what: None,
) -> Overlap:
    """Return how much the rows of each pair share.

    Args:
        left: sets from `unique_per_row` that `pairs.first` counts in.
        right: those that `pairs.second` counts in (the same table within one corpus).
        pairs: rows to compare.
        weights: of the tokens; None counts each as 1.
        tick: told pairs done, of how many, and what they are.
    """

    def weigh(hashes: Hashes) -> Scores:
        return weights.of(hashes) if weights else np.ones(hashes.size)

    sums, sizes = [], []
    for table, rows in ((left, pairs.first), (right, pairs.second)):
        sums.append(_weighed(table, rows, weigh))
        sizes.append(table.lengths[rows].astype(np.float64))
    shared, shared_symbols, shared_tokens = np.zeros((3, pairs.size))

    def verify(begin: int) -> None:
        chunk = slice(begin, begin + _CHUNK)
        if library() is not None:
            kernel.shared(
                (left.hashes, left.offsets),
                (right.hashes, right.offsets),
                (pairs.first[chunk], pairs.second[chunk]),
                weights.table if weights else None,
                [shared[chunk], shared_symbols[chunk], shared_tokens[chunk]],
            )
            return
        pair, token = _shared(left, right, pairs.first[chunk], pairs.second[chunk])
        value = weigh(token)
        length = pairs.first[chunk].size
        symbol = (token & np.uint64(1)).astype(np.float64)
        shared[chunk] = np.bincount(pair, value, length)
        shared_symbols[chunk] = np.bincount(pair, value * symbol, length)
        shared_tokens[chunk] = np.bincount(pair, minlength=length)

    for begin in range(0, pairs.size, _AT_ONCE * _CHUNK):
        tick(begin, pairs.size, "pairs verified")
        in_threads(verify, range(begin, pairs.size, _CHUNK)[:_AT_ONCE])
    (first, first_symbols), (second, second_symbols) = sums
    symbols_differ = first_symbols + second_symbols - 2 * shared_symbols
    return Overlap(
        shared=shared,
        first=first,
        second=second,
        symbols_differ=symbols_differ,
        words_differ=first + second - 2 * shared - symbols_differ,
        plain_cosine=_ratio(shared_tokens, np.sqrt(sizes[0] * sizes[1])),
    )


def jaccard(table: TokenTable, pairs: Candidates) -> Scores:
    """Return the plain Jaccard similarity of the rows of each pair of one table."""
    sets = unique_per_row(table)
    return overlap(sets, sets, pairs).jaccard


def number_variants(overlap: Overlap, left: Hashes, right: Hashes) -> NDArray[np.bool_]:
    """Return which pairs differ in numbers and operators more than in words.

    Such rows are exercises of one template, not copies: `3 * 4 + 2` and `3 * 2 + 4` have the same
    tokens in another order, and removing either would lose an example.

    Args:
        overlap: of the pairs.
        left, right: `sequence_hashes(only_symbols(...))` of the rows of each pair.
    """
    tolerance = 1e-6
    fewer_words = overlap.words_differ <= overlap.symbols_differ + tolerance
    return np.asarray((left != right) & fewer_words)
