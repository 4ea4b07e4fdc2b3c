"""Evaluation items in training rows: equal prompts, contained items, nearly equal prompts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import polars as pl
from numpy.typing import NDArray

from evalsuite.similarity.coverage import cover
from evalsuite.similarity.edges import Candidates, cross_candidates
from evalsuite.similarity.minhash import Bands, band_keys
from evalsuite.similarity.shingles import shingles, unique_per_row
from evalsuite.similarity.tokens import (
    BLOCK_ROWS,
    Hashes,
    TokenTable,
    character_table,
    only_symbols,
    sequence_hashes,
    tokenise,
)
from evalsuite.similarity.verify import Weights, number_variants, overlap

Rows = NDArray[np.int64]
Scores = NDArray[np.float64]

CHARACTERS = 4
SHORT_PART = 5
"""A paragraph or line of fewer tokens is not compared on its own."""
_ASKED = r"(?i)^\s*(?:q|question|problem|prompt|instruction|task|input|user|human)\s*:\s*"
SHORT_QUESTION = 3
"""The same of a line that says it is a question, as `Q: …` does."""
LONG_RUN = 13
"""Containing an item in a longer text is a leak by itself from this many tokens on: shorter
questions are contained in longer ones that ask something else."""
WITH_ANSWER = 0.6
"""A smaller part of an item, or a short item, is a leak if its answer stands in the row too."""


class Tier(IntEnum):
    """How a leak was found; the smaller the surer."""

    EXACT = 1
    NGRAM = 2
    NEAR = 3


@dataclass(frozen=True)
class Leaks:
    """Pairs of a row and the item that it leaks, each once, by the surest tier."""

    row: Rows
    item: Rows
    tier: Rows
    score: Scores
    """1 for equal prompts, the covered share for n-grams, the Jaccard similarity for near."""
    run: Rows
    """Longest run of the item's tokens in the row; 0 where n-grams did not find it."""
    capped: int = 0
    """Texts of rows that share a band with so many items that not all were compared (NEAR)."""

    def surest(self) -> Leaks:
        """Return one leak for each leaking row."""
        order = np.lexsort((self.item, -self.score, self.tier, self.row))
        row = self.row[order]
        first = np.ones(row.size, bool)
        first[1:] = row[1:] != row[:-1]
        return self._take(order[first])

    def _take(self, places: Rows) -> Leaks:
        return Leaks(
            self.row[places],
            self.item[places],
            self.tier[places],
            self.score[places],
            self.run[places],
            self.capped,
        )


@dataclass(frozen=True)
class _Probes:
    """Texts to compare: each prompt whole, and its paragraphs."""

    texts: pl.Series
    owner: Rows

    @classmethod
    def of(cls, prompts: pl.Series) -> _Probes:
        whole = pl.DataFrame({"owner": pl.int_range(len(prompts), eager=True), "text": prompts})
        split = whole.filter(pl.col("text").str.contains("\n\n", literal=True))
        parts = split.with_columns(pl.col("text").str.split("\n\n")).explode("text")
        parts = parts.filter(pl.col("text").str.count_matches(r"\w+") >= SHORT_PART)
        both = pl.concat([whole, parts]).unique(maintain_order=True)
        return cls(both["text"], both["owner"].to_numpy().astype(np.int64))

    @classmethod
    def lines(cls, prompts: pl.Series) -> _Probes:
        """Return the lines of prompts that have several: where a short item stands by itself."""
        whole = pl.DataFrame({"owner": pl.int_range(len(prompts), eager=True), "text": prompts})
        lines = whole.filter(pl.col("text").str.contains("\n", literal=True))
        lines = lines.with_columns(pl.col("text").str.split("\n")).explode("text")
        asked = pl.col("text").str.contains(_ASKED)
        least = pl.when(asked).then(SHORT_QUESTION).otherwise(SHORT_PART)
        lines = lines.with_columns(pl.col("text").str.replace(_ASKED, ""), least.alias("least"))
        lines = lines.filter(pl.col("text").str.count_matches(r"\w+") >= pl.col("least"))
        both = lines.unique(["owner", "text"], maintain_order=True)
        return cls(both["text"], both["owner"].to_numpy().astype(np.int64))

    def without_common(self, owners: int) -> _Probes:
        """Leave out paragraphs of more than a hundredth of the owners: instructions, not items."""
        frame = pl.DataFrame({"text": self.texts, "owner": self.owner})
        shared = pl.col("owner").n_unique().over("text") > max(3, owners // 100)
        first = pl.int_range(pl.len()) < owners
        kept = frame.filter(first | ~shared)
        return _Probes(kept["text"], kept["owner"].to_numpy().astype(np.int64))


def find_leaks(
    prompts: pl.Series,
    whole: TokenTable,
    items: pl.Series,
    answers: pl.Series,
    *,
    threshold: float = 0.8,
    ngram: int = 8,
    tick: Callable[[int, int, str], None] = lambda done, total, what: None,
) -> Leaks:
    """Find which rows hold which evaluation items.

    Args:
        prompts: what each row asks.
        whole: tokens of each row, prompt and answer.
        items: the questions of the evaluation.
        answers: their answers; empty where there is none.
        threshold: least covered share, and least Jaccard similarity of character 4-grams.
        ngram: words in an n-gram.
        tick: told texts compared, of how many, and what they are; what it raises ends the work.
    """
    rows, asked = _Probes.of(prompts), _Probes.of(items).without_common(len(items))
    row_tokens, item_tokens = tokenise(_told(rows.texts, tick)), tokenise(asked.texts)
    exact = _exact(rows, asked, row_tokens, item_tokens)
    lines = _Probes.lines(prompts)
    stated = _exact(lines, asked, tokenise(_told(lines.texts, tick)), item_tokens)
    contained = _contained(whole, tokenise(items), answers, ngram, threshold)
    near, capped = _near(rows, asked, row_tokens, item_tokens, threshold, tick)
    row, item, tier, score, run = (
        np.concatenate(columns) for columns in zip(exact, stated, contained, near, strict=True)
    )
    order = np.lexsort((-score, tier, item, row))
    first = np.ones(order.size, bool)
    first[1:] = (np.diff(row[order]) != 0) | (np.diff(item[order]) != 0)
    chosen = order[first]
    return Leaks(row[chosen], item[chosen], tier[chosen], score[chosen], run[chosen], capped)


def _told(texts: pl.Series, tick: Callable[[int, int, str], None]) -> Iterator[pl.Series]:
    for begin in range(0, len(texts), BLOCK_ROWS):
        tick(begin, len(texts), "texts read")
        yield texts.slice(begin, BLOCK_ROWS)


_Found = tuple[Rows, Rows, Rows, Scores, Rows]


def _found(row: Rows, item: Rows, tier: Tier, score: Scores, run: Rows | None = None) -> _Found:
    runs = np.zeros(row.size, np.int64) if run is None else run
    return row, item, np.full(row.size, int(tier), np.int64), score, runs


def _exact(rows: _Probes, asked: _Probes, left: TokenTable, right: TokenTable) -> _Found:
    one = pl.DataFrame({"hash": sequence_hashes(left), "row": rows.owner})
    other = pl.DataFrame({"hash": sequence_hashes(right), "item": asked.owner})
    filled = other.filter(pl.Series(right.lengths > 0))
    both = one.join(filled, on="hash").select("row", "item").unique().sort("row", "item")
    return _found(
        both["row"].to_numpy().astype(np.int64),
        both["item"].to_numpy().astype(np.int64),
        Tier.EXACT,
        np.ones(both.height),
    )


def _contained(
    whole: TokenTable, items: TokenTable, answers: pl.Series, ngram: int, threshold: float
) -> _Found:
    cover_at = min(threshold, WITH_ANSWER)
    found = cover(whole, items, ngram, cover_at)
    partly = np.flatnonzero((found.share < threshold - 1e-9) | (found.run < LONG_RUN))
    keep = np.ones(found.row.size, bool)
    keep[partly] = _holds_answer(whole, tokenise(answers), found.row[partly], found.item[partly])
    return _found(found.row[keep], found.item[keep], Tier.NGRAM, found.share[keep], found.run[keep])


def _holds_answer(whole: TokenTable, answers: TokenTable, row: Rows, item: Rows) -> Rows:
    """Return for each pair whether the item's answer stands in the row, token by token.

    An answer of one word (yes, a letter, a class) stands in too many rows to tell anything, unless
    it is a number.
    """
    out = np.zeros(row.size, bool)
    for place, (r, i) in enumerate(zip(row.tolist(), item.tolist(), strict=True)):
        answer = answers.hashes[answers.offsets[i] : answers.offsets[i + 1]]
        if not answer.size or (answer.size == 1 and not answer[0] & np.uint64(1)):
            continue
        tokens = whole.hashes[whole.offsets[r] : whole.offsets[r + 1]]
        if tokens.size >= answer.size:
            windows = np.lib.stride_tricks.sliding_window_view(tokens, answer.size)
            out[place] = bool((windows == answer).all(axis=1).any())
    return out


@dataclass(frozen=True)
class _Grams:
    """Character n-grams of the texts that are long enough to have one."""

    place: Rows
    """Of each text among all that were given."""
    sets: TokenTable
    keys: Hashes
    """Shape (bands, texts)."""

    @classmethod
    def of(cls, texts: pl.Series, bands: Bands) -> _Grams:
        table = shingles(character_table(texts), CHARACTERS)
        place = np.flatnonzero(table.lengths > 0)
        filled = table.take(place)
        return cls(place, unique_per_row(filled), band_keys(filled, 1, bands))


def _near(
    rows: _Probes,
    asked: _Probes,
    left: TokenTable,
    right: TokenTable,
    threshold: float,
    tick: Callable[[int, int, str], None],
) -> tuple[_Found, int]:
    """Return prompts that share at least `threshold` of their character 4-grams.

    The n-grams take many times the memory of the texts, so those of the rows are made in blocks.
    The second value is how many texts were not compared with every item that shares a band.
    """
    bands = _bands(threshold)
    items = _Grams.of(asked.texts, bands)
    firsts: list[Rows] = [np.empty(0, np.int64)]
    seconds: list[Rows] = [np.empty(0, np.int64)]
    scores: list[Scores] = [np.empty(0)]
    capped = 0
    for begin in range(0, len(rows.texts), BLOCK_ROWS):
        tick(begin, len(rows.texts), "texts compared")
        block = _Grams.of(rows.texts.slice(begin, BLOCK_ROWS), bands)
        pairs = cross_candidates(block.keys, items.keys)
        similarity = _similar(block, items, pairs, threshold)
        firsts.append(begin + block.place[similarity.first])
        seconds.append(items.place[similarity.second])
        scores.append(similarity.score)
        capped += pairs.capped_rows
    first, second, score = np.concatenate(firsts), np.concatenate(seconds), np.concatenate(scores)
    same_words = _not_a_variant(left, right, first, second)
    first, second, score = first[same_words], second[same_words], score[same_words]
    return _found(rows.owner[first], asked.owner[second], Tier.NEAR, score), capped


@dataclass(frozen=True)
class _Similar:
    """Pairs of a block's texts and items, with their Jaccard similarity."""

    first: Rows
    second: Rows
    score: Scores


def _similar(block: _Grams, items: _Grams, pairs: Candidates, threshold: float) -> _Similar:
    first, second = pairs.first, pairs.second
    sizes = block.sets.lengths[first], items.sets.lengths[second]
    possible = np.minimum(*sizes) >= threshold * np.maximum(*sizes)
    pairs = Candidates(first[possible], second[possible], pairs.capped_rows)
    score = overlap(block.sets, items.sets, pairs).jaccard
    near = score >= threshold - 1e-9
    return _Similar(pairs.first[near], pairs.second[near], score[near])


def _not_a_variant(left: TokenTable, right: TokenTable, first: Rows, second: Rows) -> Rows:
    """Return which pairs do not merely ask the same with other numbers."""
    sets = unique_per_row(left), unique_per_row(right)
    weights = Weights.learn(sets[0])
    compared = overlap(*sets, Candidates(first, second, 0), weights)
    symbols = [sequence_hashes(only_symbols(table)) for table in (left, right)]
    return np.asarray(~number_variants(compared, symbols[0][first], symbols[1][second]))


def _bands(threshold: float) -> Bands:
    """Choose bands that find a pair at the threshold 999 times in 1000, and few others."""
    if threshold >= 0.75:
        return Bands(32, 6)
    return Bands(40, 4) if threshold >= 0.6 else Bands(64, 2)
