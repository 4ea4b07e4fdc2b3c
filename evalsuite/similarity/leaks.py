"""Evaluation items in training rows: equal prompts, contained items, nearly equal prompts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import polars as pl
from numpy.typing import NDArray

from evalsuite.similarity.characters import distinct_grams
from evalsuite.similarity.coverage import cover
from evalsuite.similarity.edges import Candidates
from evalsuite.similarity.minhash import Bands
from evalsuite.similarity.probes import Probes
from evalsuite.similarity.shingles import unique_per_row
from evalsuite.similarity.sketches import Sketches, candidates_among, joined_sketches
from evalsuite.similarity.tokens import (
    BLOCK_ROWS,
    Hashes,
    TokenTable,
    only_symbols,
    sequence_hashes,
    stacked,
    tokenise,
)
from evalsuite.similarity.verify import Weights, number_variants, overlap
from evalsuite.similarity.wrappers import Bare, bare

Rows = NDArray[np.int64]
Scores = NDArray[np.float64]

Tick = Callable[[int, int, str], None]

CHARACTERS = 4
_PAIRS = 20_000
LONG_RUN = 13
"""Containing an item in a longer text is a leak by itself from this many tokens on: shorter
questions are contained in longer ones that ask something else."""
WITH_ANSWER = 0.6
"""A smaller part of an item, or a short item, is a leak if its answer stands in the row too."""


def _silent(done: int, total: int, what: str) -> None:
    """Tell nobody."""


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

    def joined(self, other: Leaks, item: Rows) -> Leaks:
        """Return these and others, which are of the items `item`, each pair once."""
        return Leaks(
            np.concatenate([self.row, other.row]),
            np.concatenate([self.item, item[other.item]]),
            np.concatenate([self.tier, other.tier]),
            np.concatenate([self.score, other.score]),
            np.concatenate([self.run, other.run]),
            max(self.capped, other.capped),
        )._once()

    def _once(self) -> Leaks:
        """Return each pair once, by its surest tier."""
        order = np.lexsort((-self.score, self.tier, self.item, self.row))
        first = np.ones(order.size, bool)
        first[1:] = (np.diff(self.row[order]) != 0) | (np.diff(self.item[order]) != 0)
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
class Searched:
    """Rows ready to be searched for items, as often as one likes."""

    whole: TokenTable
    """Tokens of each row, prompt and answer."""
    texts: pl.Series
    """Prompts, their paragraphs, and prompts without the template of their source."""
    owner: Rows
    """Row of each of them."""
    tokens: TokenTable
    """Of each of them."""
    hashes: Hashes
    """Of the tokens of each of them, in order."""
    sketches: Sketches
    """Of their characters."""
    lines: Hashes
    """Of the tokens of each line of prompts that have several."""
    line_owner: Rows
    threshold: float
    """Least covered share, and least Jaccard similarity of character 4-grams."""

    @classmethod
    def of(
        cls,
        prompts: pl.Series,
        whole: TokenTable,
        *,
        asked: TokenTable | None = None,
        bared: Bare | None = None,
        threshold: float = 0.8,
        tick: Tick = _silent,
    ) -> Searched:
        """Make rows ready.

        Args:
            prompts: what each row asks.
            whole: tokens of each row, prompt and answer.
            asked: tokens of the prompts, where they are known.
            bared: prompts without the template around them, to be searched too.
            threshold: of the search.
            tick: told texts read, of how many, and what they are; what it raises ends the work.
        """
        probes, lines = Probes.of(prompts).and_bare(bared), Probes.lines(prompts)
        bands = _bands(threshold)
        sketches = [
            Sketches.of(distinct_grams(block, CHARACTERS), bands)
            for block in _told(probes.texts, tick)
        ]
        known = tokenise(_told(prompts, tick)) if asked is None else asked
        table = stacked(known, tokenise(_told(probes.texts.slice(len(prompts)), tick)))
        return cls(
            whole,
            probes.texts,
            probes.owner,
            table,
            sequence_hashes(table),
            joined_sketches(sketches, bands),
            sequence_hashes(tokenise(_told(lines.texts, tick))),
            lines.owner,
            threshold,
        )

    def take(self, rows: Rows) -> Searched:
        """Return some of the rows, which are counted from 0 again; `rows` ascend."""
        number = np.full(len(self.whole), -1)
        number[rows] = np.arange(rows.size)
        places = np.flatnonzero(number[self.owner] >= 0)
        lines = np.flatnonzero(number[self.line_owner] >= 0)
        return Searched(
            self.whole.take(rows),
            self.texts.gather(places),
            number[self.owner[places]],
            self.tokens.take(places),
            self.hashes[places],
            self.sketches.take(places),
            self.lines[lines],
            number[self.line_owner[lines]],
            self.threshold,
        )

    def leaks(
        self, items: pl.Series, answers: pl.Series, *, ngram: int = 8, tick: Tick = _silent
    ) -> Leaks:
        """Find which rows hold which evaluation items.

        Args:
            items: the questions of the evaluation.
            answers: their answers; empty where there is none.
            ngram: words in an n-gram.
            tick: told pairs compared, of how many, and what they are.
        """
        asked = Probes.of(items).without_common(len(items))
        item_tokens = tokenise(asked.texts)
        exact = _exact(self.hashes, self.owner, asked, item_tokens)
        stated = _exact(self.lines, self.line_owner, asked, item_tokens)
        contained = _contained(self.whole, tokenise(items), answers, ngram, self.threshold)
        near, capped = _near(self, asked, item_tokens, tick)
        row, item, tier, score, run = (
            np.concatenate(columns) for columns in zip(exact, stated, contained, near, strict=True)
        )
        return Leaks(row, item, tier, score, run, capped)._once()


def find_leaks(
    prompts: pl.Series,
    whole: TokenTable,
    items: pl.Series,
    answers: pl.Series,
    *,
    tasks: pl.Series | None = None,
    sources: pl.Series | None = None,
    threshold: float = 0.8,
    ngram: int = 8,
    tick: Tick = _silent,
) -> Leaks:
    """Find which rows hold which evaluation items, as they stand and without their templates.

    Args:
        prompts: what each row asks.
        whole: tokens of each row, prompt and answer.
        items: the questions of the evaluation.
        answers: their answers; empty where there is none.
        tasks: the task of each item: what all its questions share is its template. Without, all
            items are of one.
        sources: the same of each row.
        threshold: least covered share, and least Jaccard similarity of character 4-grams.
        ngram: words in an n-gram.
        tick: told how many are done, of how many, and what they are; what it raises ends the work.
    """
    bared = bare(prompts, sources)
    rows = Searched.of(prompts, whole, bared=bared, threshold=threshold, tick=tick)
    found = rows.leaks(items, answers, ngram=ngram, tick=tick)
    # By themselves: beside the items as they stand every n-gram of theirs would be a common one.
    asked = bare(items, tasks)
    if not asked.owner.size:
        return found
    more = rows.leaks(asked.texts, answers.gather(asked.owner), ngram=ngram, tick=tick)
    return found.joined(more, asked.owner)


def _told(texts: pl.Series, tick: Tick) -> Iterator[pl.Series]:
    for begin in range(0, len(texts), BLOCK_ROWS):
        tick(begin, len(texts), "texts read")
        yield texts.slice(begin, BLOCK_ROWS)


_Found = tuple[Rows, Rows, Rows, Scores, Rows]


def _found(row: Rows, item: Rows, tier: Tier, score: Scores, run: Rows | None = None) -> _Found:
    runs = np.zeros(row.size, np.int64) if run is None else run
    return row, item, np.full(row.size, int(tier), np.int64), score, runs


def _exact(hashes: Hashes, owner: Rows, asked: Probes, right: TokenTable) -> _Found:
    one = pl.DataFrame({"hash": hashes, "row": owner})
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


def _near(rows: Searched, asked: Probes, right: TokenTable, tick: Tick) -> tuple[_Found, int]:
    """Return prompts that share at least `threshold` of their character 4-grams.

    The n-grams take many times the memory of the texts, so those of candidates are made in blocks.
    The second value is how many texts were not compared with every item that shares a band.
    """
    threshold = rows.threshold
    grams = distinct_grams(asked.texts, CHARACTERS)
    pairs = candidates_among(rows.sketches, grams, _bands(threshold), threshold)
    firsts: list[Rows] = [np.empty(0, np.int64)]
    seconds: list[Rows] = [np.empty(0, np.int64)]
    scores: list[Scores] = [np.empty(0)]
    for begin in range(0, pairs.size, _PAIRS):
        tick(begin, pairs.size, "pairs compared")
        first, second = pairs.first[begin : begin + _PAIRS], pairs.second[begin : begin + _PAIRS]
        score = _jaccard(rows.texts, grams, first, second)
        near = score >= threshold - 1e-9
        firsts.append(first[near])
        seconds.append(second[near])
        scores.append(score[near])
    first, second, score = np.concatenate(firsts), np.concatenate(seconds), np.concatenate(scores)
    same = _not_a_variant(rows.tokens, right, first, second)
    first, second, score = first[same], second[same], score[same]
    return _found(rows.owner[first], asked.owner[second], Tier.NEAR, score), pairs.capped_rows


def _jaccard(texts: pl.Series, items: TokenTable, first: Rows, second: Rows) -> Scores:
    """Return what share of their character 4-grams the texts of each pair have in common."""
    used, place = np.unique(first, return_inverse=True)
    sets = distinct_grams(texts.gather(used), CHARACTERS)
    return overlap(sets, items, Candidates(place, second, 0)).jaccard


def _not_a_variant(
    left: TokenTable, right: TokenTable, first: Rows, second: Rows
) -> NDArray[np.bool_]:
    """Return which pairs do not merely ask the same with other numbers."""
    symbols = []
    for table, rows in ((left, first), (right, second)):
        used, place = np.unique(rows, return_inverse=True)
        symbols.append(sequence_hashes(only_symbols(table.take(used)))[place])
    out = np.ones(first.size, bool)
    other = np.flatnonzero(symbols[0] != symbols[1])
    if other.size:  # the weights of all words are learnt only where they decide
        sets = unique_per_row(left), unique_per_row(right)
        pairs = Candidates(first[other], second[other], 0)
        compared = overlap(*sets, pairs, Weights.learn(sets[0]))
        out[other] = ~number_variants(compared, symbols[0][other], symbols[1][other])
    return out


def _bands(threshold: float) -> Bands:
    """Choose bands that find a pair at the threshold 999 times in 1000, and few others."""
    if threshold >= 0.75:
        return Bands(32, 6)
    return Bands(40, 4) if threshold >= 0.6 else Bands(64, 2)
