"""Is a made row new? Against the source, evaluation items and what was accepted before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import polars as pl

from curate.reasons import Reason
from curate.synth.generators.base import Draft, NewIn
from curate.synth.known import KnownAnswers, KnownTexts, among
from curate.synth.seeds import SeedTable
from curate.synth.verify import Refusal
from evalsuite.similarity.leaks import Tier, find_leaks
from evalsuite.similarity.tokens import tokenise

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
    task: str = ""
    """What its template is shared with: a task of a suite, or the rows set aside."""


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
        alike = among(texts, known.weights)
        accepted: list[int] = []
        for number, place in enumerate(places):
            near, who = score[number], of[number]
            for earlier in accepted:
                if alike[earlier, number] > near:
                    near, who = float(alike[earlier, number]), ids[places[earlier]]
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
            tasks=pl.Series([item.task for item in self.held], dtype=pl.String),
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


def _bytes(draft: Draft) -> tuple[str, str, str]:
    return draft.question, draft.answer, draft.rejected or ""


def _text(draft: Draft) -> str:
    worse = f"\n\n{draft.rejected}" if draft.rejected is not None else ""
    return f"{draft.question}\n\n{draft.answer}{worse}"
