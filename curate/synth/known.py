"""Texts that are known, and how near new ones are to them.

Similarity is that of `near_duplicates`: the smaller of two cosines over words, every pair
verified; a text with another number in it is another text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from evalsuite.similarity.edges import Candidates, all_pairs, cross_candidates
from evalsuite.similarity.minhash import Bands, band_keys
from evalsuite.similarity.shingles import unique_per_row
from evalsuite.similarity.tokens import (
    Hashes,
    TokenTable,
    only_symbols,
    sequence_hashes,
    stacked,
    tokenise,
)
from evalsuite.similarity.verify import Weights, number_variants, overlap

_EVERY_PAIR = 1 << 18
"""Up to so many pairs all are compared; above, those that share a band, and rows with parents."""
_SHINGLE = 2


@dataclass
class Texts:
    """Texts with what comparing them needs."""

    table: TokenTable
    sets: TokenTable
    """Each token once a text."""
    whole: Hashes
    """Equal where texts are."""
    symbols: Hashes
    """Of the tokens that are no words."""

    @classmethod
    def of(cls, texts: pl.Series) -> Texts:
        """Take texts apart."""
        table = tokenise(texts)
        return cls(
            table,
            unique_per_row(table),
            sequence_hashes(table),
            sequence_hashes(only_symbols(table)),
        )

    def extend(self, more: Texts) -> None:
        """Put more texts after these."""
        self.table = stacked(self.table, more.table)
        self.sets = stacked(self.sets, more.sets)
        self.whole = np.concatenate([self.whole, more.whole])
        self.symbols = np.concatenate([self.symbols, more.symbols])

    def similarity(self, others: Texts, pairs: Candidates, weights: Weights) -> NDArray[np.float64]:
        """Return how alike each pair is, one of these and one of the others; from 0 to 1."""
        compared = overlap(self.sets, others.sets, pairs, weights)
        score = np.minimum(compared.cosine, compared.plain_cosine)
        symbols = self.symbols[pairs.first], others.symbols[pairs.second]
        score[number_variants(compared, *symbols)] = 0.0
        score[self.whole[pairs.first] == others.whole[pairs.second]] = 1.0
        return score


@dataclass
class KnownTexts:
    """Texts that a new one must differ from; grows."""

    ids: list[str]
    texts: Texts
    keys: Hashes
    """Band keys, shape (bands, rows)."""
    weights: Weights
    places: dict[str, int]
    bands: Bands = field(default_factory=Bands)

    @classmethod
    def of(cls, ids: Sequence[str], texts: pl.Series) -> KnownTexts:
        """Take in the source."""
        taken, bands = Texts.of(texts), Bands()
        return cls(
            ids=list(ids),
            texts=taken,
            keys=_keys(taken.table, bands),
            weights=Weights.learn(taken.sets),
            places={name: place for place, name in enumerate(ids)},
            bands=bands,
        )

    def add(self, ids: Sequence[str], texts: pl.Series) -> None:
        """Take in accepted rows; the weights stay those of the source."""
        if not ids:
            return
        more = Texts.of(texts)
        self.places |= {name: len(self.ids) + place for place, name in enumerate(ids)}
        self.ids += ids
        self.texts.extend(more)
        self.keys = np.concatenate([self.keys, _keys(more.table, self.bands)], axis=1)

    def nearest(
        self, texts: pl.Series, parents: Sequence[Sequence[str]]
    ) -> tuple[list[float], list[str]]:
        """Return for each text the greatest similarity to a known one, and which.

        Args:
            texts: the new texts.
            parents: ids of known texts that each is compared with in any case.
        """
        new = Texts.of(texts)
        pairs = self._candidates(new.table, parents)
        score = new.similarity(self.texts, pairs, self.weights)
        return self._best(pairs, score, len(texts))

    def _best(
        self, pairs: Candidates, score: NDArray[np.float64], rows: int
    ) -> tuple[list[float], list[str]]:
        best, of = [0.0] * rows, [""] * rows
        for place in np.lexsort((pairs.second, -score, pairs.first)).tolist():
            row = int(pairs.first[place])
            if score[place] > best[row]:
                best[row], of[row] = float(score[place]), self.ids[int(pairs.second[place])]
        return best, of

    def _candidates(self, table: TokenTable, parents: Sequence[Sequence[str]]) -> Candidates:
        rows, known = len(table), len(self.ids)
        if rows * known <= _EVERY_PAIR:
            first = np.repeat(np.arange(rows), known)
            return Candidates(first, np.tile(np.arange(known), rows), 0)
        found = cross_candidates(_keys(table, self.bands), self.keys)
        own = [
            (row, self.places[name])
            for row, names in enumerate(parents)
            for name in names
            if name in self.places
        ]
        both = np.concatenate(
            [np.stack([found.first, found.second], axis=1), np.array(own, np.int64).reshape(-1, 2)]
        )
        unique = np.unique(both, axis=0)
        return Candidates(unique[:, 0], unique[:, 1], found.capped_rows)


@dataclass
class KnownAnswers:
    """Answers by the question they answer: another answer to a known question is a new row."""

    by_question: dict[str, list[tuple[str, str]]]
    """Question → (id, answer) of every known row that asks it."""
    weights: Weights

    @classmethod
    def of(cls, ids: Sequence[str], questions: pl.Series, answers: pl.Series) -> KnownAnswers:
        """Take in the source."""
        known = cls({}, Weights.learn(unique_per_row(tokenise(answers))))
        for name, question, answer in zip(ids, questions, answers, strict=True):
            known.add(name, question, answer)
        return known

    def add(self, name: str, question: str, answer: str) -> None:
        """Take in one row."""
        self.by_question.setdefault(question, []).append((name, answer))

    def similarities(
        self, questions: Sequence[str], answers: Sequence[str]
    ) -> list[list[tuple[str | int, float]]]:
        """Return for each answer its similarity to every other answer to its question.

        The other one is a known row's id, or the place of an earlier one among `answers`.
        """
        others: list[tuple[int, str | int, str]] = []
        earlier: dict[str, list[int]] = {}
        for place, question in enumerate(questions):
            others += [(place, name, text) for name, text in self.by_question.get(question, ())]
            before = earlier.setdefault(question, [])
            others += [(place, other, answers[other]) for other in before]
            before.append(place)
        out: list[list[tuple[str | int, float]]] = [[] for _ in answers]
        if not others:
            return out
        left = pl.Series([answers[place] for place, _, _ in others], dtype=pl.String)
        right = pl.Series([text for _, _, text in others], dtype=pl.String)
        scores = _side_by_side(left, right, self.weights)
        for (place, other, _), score in zip(others, scores.tolist(), strict=True):
            out[place].append((other, score))
        return out


def _side_by_side(left: pl.Series, right: pl.Series, weights: Weights) -> NDArray[np.float64]:
    """Return the similarity of each text of `left` to the one in the same place of `right`."""
    places = np.arange(len(left), dtype=np.int64)
    return Texts.of(left).similarity(Texts.of(right), Candidates(places, places, 0), weights)


def among(texts: pl.Series, weights: Weights) -> NDArray[np.float64]:
    """Return the similarity of texts to each other, of each pair once: the earlier, the later."""
    size, taken = len(texts), Texts.of(texts)
    pairs = all_pairs(size)
    scores = np.zeros((size, size))
    scores[pairs.first, pairs.second] = taken.similarity(taken, pairs, weights)
    return scores


def _keys(table: TokenTable, bands: Bands) -> Hashes:
    """Return band keys; a text without a token gets keys that nothing shares."""
    keys = np.zeros((bands.count, len(table)), np.uint64)
    filled = np.flatnonzero(table.lengths > 0)
    if filled.size:
        keys[:, filled] = band_keys(table.take(filled), _SHINGLE, bands)
    return keys
