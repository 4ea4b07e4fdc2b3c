"""Is a made row new? Against the source, evaluation items and what was accepted before it.

Similarity is that of `near_duplicates`: the smaller of two cosines over words, every pair
verified; a question with another number in it is another question.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from curate.reasons import Reason
from curate.synth.generators.base import Draft, NewIn
from curate.synth.seeds import SeedTable
from curate.synth.verify import Refusal
from evalsuite.similarity.edges import Candidates, all_pairs, cross_candidates
from evalsuite.similarity.leaks import Tier, find_leaks
from evalsuite.similarity.minhash import Bands, band_keys
from evalsuite.similarity.shingles import unique_per_row
from evalsuite.similarity.tokens import (
    Hashes,
    TokenTable,
    only_symbols,
    sequence_hashes,
    starts,
    tokenise,
)
from evalsuite.similarity.verify import Weights, number_variants, overlap

Rows = NDArray[np.int64]

_EVERY_PAIR = 1 << 18
"""Up to so many pairs all are compared; above, those that share a band, and rows with parents."""
_SHINGLE = 2
_LEAKS = {
    Tier.EXACT: Reason.LEAK_EXACT,
    Tier.NGRAM: Reason.LEAK_NGRAM,
    Tier.NEAR: Reason.LEAK_NEAR,
}


@dataclass(frozen=True)
class HeldItem:
    """A question that no made row may hold."""

    name: str
    question: str
    answer: str


@dataclass
class KnownTexts:
    """Texts that a new one must differ from, with what comparing needs."""

    ids: list[str]
    table: TokenTable
    sets: TokenTable
    whole: Hashes
    symbols: Hashes
    keys: Hashes
    """Band keys, shape (bands, rows)."""
    weights: Weights
    places: dict[str, int]
    bands: Bands = field(default_factory=Bands)

    @classmethod
    def of(cls, ids: Sequence[str], texts: pl.Series) -> KnownTexts:
        """Take in the source."""
        table = tokenise(texts)
        sets = unique_per_row(table)
        bands = Bands()
        return cls(
            ids=list(ids),
            table=table,
            sets=sets,
            whole=sequence_hashes(table),
            symbols=sequence_hashes(only_symbols(table)),
            keys=_keys(table, bands),
            weights=Weights.learn(sets),
            places={name: place for place, name in enumerate(ids)},
            bands=bands,
        )

    def add(self, ids: Sequence[str], texts: pl.Series) -> None:
        """Take in accepted rows; the weights stay those of the source."""
        if not ids:
            return
        table = tokenise(texts)
        self.places |= {name: len(self.ids) + place for place, name in enumerate(ids)}
        self.ids += ids
        self.table = _appended(self.table, table)
        self.sets = _appended(self.sets, unique_per_row(table))
        self.whole = np.concatenate([self.whole, sequence_hashes(table)])
        self.symbols = np.concatenate([self.symbols, sequence_hashes(only_symbols(table))])
        self.keys = np.concatenate([self.keys, _keys(table, self.bands)], axis=1)

    def nearest(
        self, texts: pl.Series, parents: Sequence[Sequence[str]]
    ) -> tuple[list[float], list[str]]:
        """Return for each text the greatest similarity to a known one, and which.

        Args:
            texts: the new texts.
            parents: ids of known texts that each is compared with in any case.
        """
        table = tokenise(texts)
        sets, whole = unique_per_row(table), sequence_hashes(table)
        symbols = sequence_hashes(only_symbols(table))
        pairs = self._candidates(table, parents)
        compared = overlap(sets, self.sets, pairs, self.weights)
        score = np.minimum(compared.cosine, compared.plain_cosine)
        variant = number_variants(compared, symbols[pairs.first], self.symbols[pairs.second])
        score[variant] = 0.0
        score[whole[pairs.first] == self.whole[pairs.second]] = 1.0
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
    first, second = tokenise(left), tokenise(right)
    places = np.arange(len(left), dtype=np.int64)
    pairs = Candidates(places, places, 0)
    compared = overlap(unique_per_row(first), unique_per_row(second), pairs, weights)
    score = np.minimum(compared.cosine, compared.plain_cosine)
    symbols = sequence_hashes(only_symbols(first)), sequence_hashes(only_symbols(second))
    score[number_variants(compared, *symbols)] = 0.0
    score[sequence_hashes(first) == sequence_hashes(second)] = 1.0
    return score


def _keys(table: TokenTable, bands: Bands) -> Hashes:
    """Return band keys; a text without a token gets keys that nothing shares."""
    keys = np.zeros((bands.count, len(table)), np.uint64)
    filled = np.flatnonzero(table.lengths > 0)
    if filled.size:
        keys[:, filled] = band_keys(table.take(filled), _SHINGLE, bands)
    return keys


def _appended(first: TokenTable, second: TokenTable) -> TokenTable:
    return TokenTable(
        np.concatenate([first.hashes, second.hashes]),
        starts(np.concatenate([first.lengths, second.lengths])),
    )


class Novelty:
    """What made rows are compared with; grows with every accepted row."""

    def __init__(
        self,
        seeds: SeedTable,
        views: set[NewIn],
        held: Sequence[HeldItem],
        *,
        threshold: float,
        leak_threshold: float,
    ) -> None:
        self.threshold = threshold
        self.leak_threshold = leak_threshold
        self.held = held
        questions, answers = seeds.frame["question"], seeds.frame["answer"]
        self._ids = {
            (question, answer, ""): name
            for name, question, answer in seeds.frame.select("id", "question", "answer").rows()
        }
        ids = seeds.frame["id"].to_list()
        self._known: dict[NewIn, KnownTexts] = {}
        if "question" in views:
            self._known["question"] = KnownTexts.of(ids, questions)
        self._answers = KnownAnswers.of(ids, questions, answers) if "answer" in views else None

    def check(
        self, drafts: Sequence[Draft], ids: Sequence[str], views: Sequence[NewIn]
    ) -> list[tuple[Refusal | None, float, str]]:
        """Return for each draft why it is not new (None: it is), and its nearest known text.

        Args:
            drafts: verified rows, in order: of two that are alike the earlier is new.
            ids: the ids that they will have.
            views: where each must be new.
        """
        if not drafts:
            return []
        leaks = self._leaks(drafts)
        out: list[tuple[Refusal | None, float, str]] = [
            (leaks.get(place), 0.0, "") for place in range(len(drafts))
        ]
        for view in ("bytes", "question", "answer"):
            places = [
                place
                for place in range(len(drafts))
                if views[place] == view and out[place][0] is None
            ]
            if view == "bytes":
                self._check_bytes(drafts, ids, places, out)
            elif places and view == "question":
                self._check_questions(drafts, ids, places, out)
            elif places:
                self._check_answers(drafts, ids, places, out)
        self._accept(drafts, ids, [found[0] is None for found in out])
        return out

    def _check_bytes(
        self,
        drafts: Sequence[Draft],
        ids: Sequence[str],
        places: Sequence[int],
        out: list[tuple[Refusal | None, float, str]],
    ) -> None:
        seen: dict[tuple[str, str, str], str] = {}
        for place in places:
            key = _bytes(drafts[place])
            other = self._ids.get(key) or seen.get(key)
            if other is not None:
                detail = f"equal to {other}, byte for byte"
                out[place] = (Refusal(Reason.EXACT_DUPLICATE, detail, other), 1.0, other)
            seen.setdefault(key, ids[place])

    def _check_questions(
        self,
        drafts: Sequence[Draft],
        ids: Sequence[str],
        places: Sequence[int],
        out: list[tuple[Refusal | None, float, str]],
    ) -> None:
        texts = pl.Series([drafts[place].question for place in places], dtype=pl.String)
        parents = [[seed.id for seed in drafts[place].parents] for place in places]
        known = self._known["question"]
        score, of = known.nearest(texts, parents)
        among = _Among(texts, known.weights)
        accepted: list[int] = []
        for number, place in enumerate(places):
            near, who = score[number], of[number]
            for earlier in accepted:
                if among.score(earlier, number) > near:
                    near, who = among.score(earlier, number), ids[places[earlier]]
            refusal = self._too_near(near, who, "question")
            out[place] = (refusal, near, who)
            if refusal is None:
                accepted.append(number)

    def _check_answers(
        self,
        drafts: Sequence[Draft],
        ids: Sequence[str],
        places: Sequence[int],
        out: list[tuple[Refusal | None, float, str]],
    ) -> None:
        """Compare each with the other answers to its question; of a batch the earlier is new."""
        assert self._answers is not None  # some generator makes such rows
        texts = [drafts[place].answer for place in places]
        questions = [drafts[place].question for place in places]
        near = self._answers.similarities(questions, texts)
        accepted: set[int] = set()
        for number, place in enumerate(places):
            best, who = 0.0, ""
            for other, score in near[number]:
                if isinstance(other, str) and score > best:
                    best, who = score, other
                elif isinstance(other, int) and other in accepted and score > best:
                    best, who = score, ids[places[other]]
            refusal = self._too_near(best, who, "answer")
            out[place] = (refusal, best, who)
            if refusal is None:
                accepted.add(number)

    def _too_near(
        self, score: float, who: str, what: Literal["question", "answer"]
    ) -> Refusal | None:
        if score < self.threshold:
            return None
        if score >= 1.0:
            detail = f"the {what} says the same as {who}"
            return Refusal(Reason.NORMALISED_DUPLICATE, detail, who)
        detail = f"similarity {score:.3f} >= {self.threshold:g} of its {what} to {who}"
        return Refusal(Reason.NEAR_DUPLICATE, detail, who)

    def _leaks(self, drafts: Sequence[Draft]) -> dict[int, Refusal]:
        if not self.held:
            return {}
        leaks = find_leaks(
            pl.Series([draft.question for draft in drafts], dtype=pl.String),
            tokenise(pl.Series([_text(draft) for draft in drafts], dtype=pl.String)),
            pl.Series([item.question for item in self.held], dtype=pl.String),
            pl.Series([item.answer for item in self.held], dtype=pl.String),
            threshold=self.leak_threshold,
        ).surest()
        return {
            row: Refusal(_LEAKS[Tier(tier)], f"holds {self.held[item].name} (share {score:.2f})")
            for row, item, tier, score in zip(
                leaks.row.tolist(),
                leaks.item.tolist(),
                leaks.tier.tolist(),
                leaks.score.tolist(),
                strict=True,
            )
        }

    def _accept(self, drafts: Sequence[Draft], ids: Sequence[str], new: Sequence[bool]) -> None:
        """Take in the new rows in every view: a paraphrase must not come back as noise's parent."""
        good = [place for place, is_new in enumerate(new) if is_new]
        names = [ids[place] for place in good]
        for known in self._known.values():
            texts = [drafts[place].question for place in good]
            known.add(names, pl.Series(texts, dtype=pl.String))
        for place in good:
            if self._answers is not None:
                self._answers.add(ids[place], drafts[place].question, drafts[place].answer)
            self._ids.setdefault(_bytes(drafts[place]), ids[place])


@dataclass
class _Among:
    """Similarity among the texts of one batch."""

    texts: pl.Series
    weights: Weights

    def __post_init__(self) -> None:
        table = tokenise(self.texts)
        sets, whole = unique_per_row(table), sequence_hashes(table)
        symbols = sequence_hashes(only_symbols(table))
        pairs = all_pairs(len(self.texts))
        compared = overlap(sets, sets, pairs, self.weights)
        score = np.minimum(compared.cosine, compared.plain_cosine)
        score[number_variants(compared, symbols[pairs.first], symbols[pairs.second])] = 0.0
        score[whole[pairs.first] == whole[pairs.second]] = 1.0
        size = len(self.texts)
        self._scores = np.zeros((size, size))
        self._scores[pairs.first, pairs.second] = score

    def score(self, earlier: int, later: int) -> float:
        """Return the similarity of two texts."""
        return float(self._scores[earlier, later])


def _bytes(draft: Draft) -> tuple[str, str, str]:
    return draft.question, draft.answer, draft.rejected or ""


def _text(draft: Draft) -> str:
    worse = f"\n\n{draft.rejected}" if draft.rejected is not None else ""
    return f"{draft.question}\n\n{draft.answer}{worse}"
