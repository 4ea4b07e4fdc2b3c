"""Several answers drawn for a source question, scored: rejection sampling and preference pairs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from curate.reasons import Reason
from curate.synth.desk import all_that_answer
from curate.synth.generators.base import Bench, Draft, Lost, NewIn, OneParent, Task, asked_in
from curate.synth.generators.configs import Preference, Rejection
from curate.synth.requests import Receipt, Turn
from curate.synth.seeds import Seed
from evalsuite.scorers import Scorer
from evalsuite.tasks.item import Item


@dataclass(frozen=True)
class Scored:
    """One drawn answer."""

    text: str
    score: float
    detail: str
    cut: bool
    receipt: Receipt


def score_answer(scorer: Scorer, output: str, gold: str) -> tuple[float, str]:
    """Return the score of an answer against the right one, and why."""
    found = scorer.score(output, Item(id="made", gold=gold))
    return found.value, found.detail


async def _drawn(task: Task, bench: Bench, config: Rejection | Preference) -> list[Scored]:
    """Draw and score; answers that failed are passed over unless all did."""
    parent = task.parents[0]
    turns = (*parent.history, Turn("user", parent.question))
    asks = [bench.ask(asked_in(turns, config, task, number)) for number in range(config.samples)]
    out = []
    for reply, receipt in await all_that_answer(asks):
        text = reply.text.strip()
        value, detail = score_answer(config.scorer, text, parent.answer)
        out.append(Scored(text, value, detail, reply.cut, receipt))
    return out


class _Answering(OneParent):
    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer

    def usable(self, seed: Seed) -> bool:
        """Whether the row's answer can be scored against."""
        return bool(seed.question) and self._scorer.refusal(seed.answer) is None

    def per_row(self) -> int:
        """Each row once: `samples` says how many answers."""
        return 1


class RejectionGenerator(_Answering):
    """Each task draws answers to one question and keeps right ones."""

    name: ClassVar[str] = "rejection"
    new_in: ClassVar[NewIn] = "answer"
    makes: ClassVar[Literal["same", "messages", "preference"]] = "messages"

    def __init__(self, config: Rejection) -> None:
        super().__init__(config.scorer)
        self.config = config

    async def make(self, task: Task, bench: Bench) -> list[Draft | Lost]:
        """Draw, score, keep; an answer drawn twice counts once."""
        parent = task.parents[0]
        drawn = await _drawn(task, bench, self.config)
        receipts = tuple(one.receipt for one in drawn)
        right = [one for one in drawn if one.score >= self.config.least and not one.cut]
        texts = list(dict.fromkeys(one.text for one in right))[: self.config.keep]
        if not texts:
            best = max(drawn, key=lambda one: one.score)
            detail = (
                f"none of {len(drawn)} answers reaches {self.config.least:g}; "
                f"the best has {best.score:g}: {best.detail}"
            )
            return [Lost(Reason.WRONG_ANSWER, detail, task.parents, best.text, receipts)]
        return [
            Draft(
                parent.question,
                text,
                task.parents,
                parent.history,
                label=task.label or parent.label,
                document=parent.document,
                receipts=receipts if place == 0 else (),
                verified=f"{self.config.scorer.kind}: {len(right)} of {len(drawn)} right",
            )
            for place, text in enumerate(texts)
        ]


class PreferenceGenerator(_Answering):
    """Each task draws answers to one question and pairs the best with the worst."""

    name: ClassVar[str] = "preference"
    new_in: ClassVar[NewIn] = "bytes"
    makes: ClassVar[Literal["same", "messages", "preference"]] = "preference"

    def __init__(self, config: Preference) -> None:
        super().__init__(config.scorer)
        self.config = config

    async def make(self, task: Task, bench: Bench) -> list[Draft | Lost]:
        """Draw, score, pair. Cut answers are never paired: what is learnt would be to stop late."""
        parent = task.parents[0]
        drawn = await _drawn(task, bench, self.config)
        receipts = tuple(one.receipt for one in drawn)
        whole = [one for one in drawn if not one.cut]
        if self.config.source_is_best and whole and max(one.score for one in whole) < 1.0:
            paid = receipts[0]
            whole.append(Scored(parent.answer, 1.0, "the source's own answer", False, paid))
        best = max(whole, key=lambda one: one.score, default=None)
        worst = min(whole, key=lambda one: one.score, default=None)
        if best is None or worst is None or best.score - worst.score < self.config.gap:
            scores = ", ".join(f"{one.score:g}" for one in whole) or "none whole"
            detail = f"no two answers differ by {self.config.gap:g}; scores: {scores}"
            return [Lost(Reason.NO_CONTRAST, detail, task.parents, "", receipts)]
        draft = Draft(
            parent.question,
            best.text,
            task.parents,
            parent.history,
            rejected=worst.text,
            label=task.label or parent.label,
            document=parent.document,
            receipts=receipts,
            verified=f"{self.config.scorer.kind}: {best.score:g} against {worst.score:g}",
        )
        return [draft]
