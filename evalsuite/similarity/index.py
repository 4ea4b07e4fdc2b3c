"""One index over all rows: built once, asked by duplicate removal, by the split and by checks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evalsuite.similarity.cluster import greedy_keep
from evalsuite.similarity.edges import Candidates, all_pairs, candidates
from evalsuite.similarity.minhash import Bands, band_keys
from evalsuite.similarity.shingles import unique_of
from evalsuite.similarity.tokens import (
    Joined,
    Tokens,
    TokenTable,
    bags,
    joined,
    mix,
    only_symbols,
    sequence_hashes,
)
from evalsuite.similarity.verify import Overlap, Scores, Weights, number_variants, overlap

Rows = NDArray[np.int64]

SMALL = 256
"""Up to this many distinct rows every pair is compared; above, those that share a band."""
WEIGHED = 25_000
"""How rare a word is, is learned from at most this many rows."""
SHORT_ANSWER = 12
"""An answer of up to this many tokens is a label: it must be equal, not merely alike."""


@dataclass(frozen=True)
class Classes:
    """Rows equal after normalising."""

    first: Rows
    """The first row that is equal to this one, shape (rows,)."""

    @property
    def chiefs(self) -> Rows:
        """The rows that are the first of their class."""
        return np.flatnonzero(self.first == np.arange(self.first.size))


@dataclass(frozen=True)
class Index:
    """Classes of rows equal after normalising, and verified pairs of classes that are alike."""

    class_of: Rows
    """The first row that is equal to this one after normalising, shape (rows,)."""
    first: Rows
    """Pairs of such first rows, `first < second`, of at least the loosest similarity asked for."""
    second: Rows
    score: Scores
    """The smaller of two cosines over the words of prompt and answer together: weighted by
    rarity, so that a shared template counts little, and plain, so that two questions of a narrow
    field are not the same for sharing its one rare word."""
    duplicate: NDArray[np.bool_]
    """The answers agree, and so do numbers, operators and negations: a question with another
    number in it, or with a `not`, is another question."""
    capped_rows: int
    """Rows in buckets too full to compare every pair."""

    def near_duplicates(self, rows: Rows, rank: Rows, threshold: float) -> tuple[Rows, Scores]:
        """Find which of `rows` to drop as copies of better ones.

        Args:
            rows: the rows that are still there, ascending.
            rank: place of each of them in the order of preference, a permutation; 0 is the best.
            threshold: least similarity of a near-duplicate.

        Returns:
            For each of `rows` the row it duplicates (-1: it is kept), and their similarity.
        """
        classes, members = np.unique(self.class_of[rows], return_inverse=True)
        chief = np.full(classes.size, rows.size, np.int64)
        np.minimum.at(chief, members, rank)
        by_rank = np.empty(rows.size, np.int64)
        by_rank[rank] = np.arange(rows.size)
        first, second, score = self._between(classes, threshold)
        order = np.argsort(np.argsort(chief, kind="stable"), kind="stable")
        keeper = greedy_keep(classes.size, first, second, order)
        chosen = np.where(keeper < 0, np.arange(classes.size), keeper)[members]
        partner = by_rank[chief[chosen]]
        similarity = _scores_of(members, chosen, first, second, score, classes.size)
        kept = partner == np.arange(rows.size)
        return np.where(kept, -1, rows[partner]), similarity

    def _between(self, classes: Rows, threshold: float) -> tuple[Rows, Rows, Scores]:
        """Return the duplicate pairs between these classes, as places in `classes`."""
        good = self.duplicate & (self.score >= threshold)
        good &= np.isin(self.first, classes) & np.isin(self.second, classes)
        first = np.searchsorted(classes, self.first[good])
        second = np.searchsorted(classes, self.second[good])
        return first, second, self.score[good]

    def links(self, threshold: float) -> tuple[Rows, Rows]:
        """Return pairs of rows that belong together at this looser similarity."""
        rows = np.arange(self.class_of.size)
        copies = rows[self.class_of != rows]
        alike = self.score >= threshold
        return (
            np.concatenate([self.class_of[copies], self.first[alike]]),
            np.concatenate([copies, self.second[alike]]),
        )


def _scores_of(
    mine: Rows, chosen: Rows, first: Rows, second: Rows, score: Scores, classes: int
) -> Scores:
    """Return the similarity of each row's class to the class chosen for it; 1 for its own."""
    keys = first * classes + second
    order = np.argsort(keys)
    wanted = np.minimum(mine, chosen) * classes + np.maximum(mine, chosen)
    out = np.ones(mine.size)
    other = mine != chosen
    place = np.searchsorted(keys[order], wanted[other])
    out[other] = score[order][place]
    return out


def _weights(table: Tokens) -> Weights:
    """Learn how rare each word is, of a large corpus from rows evenly spread over it."""
    step = max(-(-len(table) // WEIGHED), 1)
    return Weights.learn(unique_of(table, np.arange(0, len(table), step)), of_rows=len(table))


def _overlap_of(
    table: Tokens,
    pairs: Candidates,
    weights: Weights,
    tick: Callable[[int, int, str], None] = lambda done, total, what: None,
) -> Overlap:
    """Compare the pairs; only of rows that are in one are the distinct tokens sought."""
    both = np.concatenate([pairs.first, pairs.second])
    rows, place = np.unique(both, return_inverse=True)
    sets = unique_of(table, rows)
    chosen = Candidates(place[: pairs.size], place[pairs.size :], pairs.capped_rows)
    return overlap(sets, sets, chosen, weights, tick)


def _agree(
    answers: TokenTable, pairs: Candidates, weights: Weights, threshold: float
) -> NDArray[np.bool_]:
    """Return for which pairs the answers say the same: equal if short, alike if long."""
    whole = sequence_hashes(answers)
    equal = whole[pairs.first] == whole[pairs.second]
    lengths = np.minimum(answers.lengths[pairs.first], answers.lengths[pairs.second])
    open_pairs = np.flatnonzero(~equal & (lengths > SHORT_ANSWER))
    if open_pairs.size:
        first, second = pairs.first[open_pairs], pairs.second[open_pairs]
        compared = _overlap_of(answers, Candidates(first, second, 0), weights)
        equal[open_pairs] = compared.cosine >= threshold
    return np.asarray(equal)


def normalised_classes(
    prompts: TokenTable, answers: TokenTable, marks: Rows | None = None
) -> Classes:
    """Find rows whose prompts and answers are equal, token by token.

    Args:
        prompts, answers: tokens of each row's prompt and answer.
        marks: a number that equal rows must share as well, such as a preference label.
    """
    # Hashed apart, so that moving a word from the prompt into the answer makes another row.
    keys = mix(sequence_hashes(prompts)) + sequence_hashes(answers)
    if marks is not None:
        keys = mix(keys) + marks.astype(np.uint64)
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    return Classes(first[inverse].astype(np.int64))


def build_index(
    prompts: TokenTable,
    answers: TokenTable,
    classes: Classes | None = None,
    marks: Rows | None = None,
    *,
    loosest: float = 0.6,
    shingle: int = 2,
    bands: Bands | None = None,
    tick: Callable[[int, int, str], None] = lambda done, total, what: None,
    only: Candidates | None = None,
) -> Index:
    """Compare all rows with each other.

    Args:
        prompts, answers: tokens of each row's prompt and answer; a row of plain text has no answer.
        classes: from `normalised_classes`, where it was computed already.
        marks: a number that duplicates must share, such as a preference label.
        loosest: pairs under this similarity are forgotten.
        shingle: words in a shingle of the candidate search.
        bands: of the candidate search; 48 bands of 2 functions by default.
        only: pairs of rows to compare instead of searching for candidates; both rows the first of
            their class, and neither without a token.
        tick: told units done, of how many, and what they are; what it raises ends the work.
    """
    classes = classes or normalised_classes(prompts, answers, marks)
    rows = classes.chiefs
    rows = rows[(prompts.lengths + answers.lengths)[rows] > 0]
    table = Joined(prompts, answers, rows)
    if only is not None:
        first, second = np.searchsorted(rows, only.first), np.searchsorted(rows, only.second)
        pairs = Candidates(first, second, only.capped_rows)
    elif rows.size <= SMALL:
        pairs = all_pairs(rows.size)
    else:
        pairs = candidates(band_keys(table, shingle, bands or Bands(), tick), tick=tick)
    weights = _weights(table)
    compared = _overlap_of(table, pairs, weights, tick)
    score = np.minimum(compared.cosine, compared.plain_cosine)
    sides = [only_symbols(side) for side in (prompts, answers)]
    symbols = sequence_hashes(joined(*(side.take(rows) for side in sides)))
    variant = number_variants(compared, symbols[pairs.first], symbols[pairs.second])
    for side in sides:
        bag = bags(side)[rows]
        variant |= bag[pairs.first] != bag[pairs.second]
    near = score >= loosest
    pairs = Candidates(rows[pairs.first[near]], rows[pairs.second[near]], pairs.capped_rows)
    duplicate = _agree(answers, pairs, weights, loosest) & ~variant[near]
    if marks is not None:
        duplicate &= marks[pairs.first] == marks[pairs.second]
    return Index(
        class_of=classes.first,
        first=pairs.first,
        second=pairs.second,
        score=score[near],
        duplicate=duplicate,
        capped_rows=pairs.capped_rows,
    )
