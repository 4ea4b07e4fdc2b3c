"""Several answers drawn for a source question, scored: rejection sampling and preference pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, ClassVar, Literal, cast

from curate.reasons import Reason
from curate.synth.generators.base import Bench, Draft, Lost, NewIn, OneParent, Task, asked_in
from curate.synth.generators.configs import Preference, Ranking, Rejection
from curate.synth.rewarding import RewardModel
from curate.synth.seeds import Seed
from evalsuite.asking.requests import Turn
from evalsuite.scorers import Scorer
from evalsuite.tasks.item import Item, Message

if TYPE_CHECKING:
    from evalsuite.tasks.item import Role


@dataclass(frozen=True)
class Scored:
    """One drawn answer."""

    text: str
    score: float
    detail: str = ""


def score_answer(
    scorer: Scorer, turns: Sequence[Turn], output: str, gold: str
) -> tuple[float, str]:
    """Return the score of an answer to `turns` against the right one, and why."""
    asked = tuple(Message(cast("Role", turn.role), turn.content) for turn in turns)
    found = scorer.score(output, Item("made", asked, gold=gold))
    return found.value, found.detail


async def _drawn(task: Task, bench: Bench, config: Rejection | Preference) -> list[str]:
    """Draw answers; cut ones are left out, and those that failed unless all did."""
    turns = _turns(task.parents[0])
    asks = [asked_in(turns, config, task, number) for number in range(config.samples)]
    return [reply.text.strip() for reply, _ in await bench.ask_all(asks) if not reply.cut]


def _turns(parent: Seed) -> tuple[Turn, ...]:
    return (*parent.history, Turn("user", parent.question))


def _scored(texts: Sequence[str], scorer: Scorer, parent: Seed) -> list[Scored]:
    turns = _turns(parent)
    return [Scored(text, *score_answer(scorer, turns, text, parent.answer)) for text in texts]


async def _ranked(
    texts: Sequence[str], question: str, ranking: Ranking, bench: Bench, seed: int
) -> list[Scored]:
    """Score each text by the share of comparisons that it wins; a judge that goes by the order,
    or finds neither better, gives half to each.

    One after the other: other questions keep the judge busy, and a failure wastes nothing.
    """
    different = list(dict.fromkeys(texts))
    wins = dict.fromkeys(different, 0.0)
    for one, other in combinations(different, 2):
        fields = {"question": question, "rubric": ranking.rubric}
        there = {**fields, "first": one, "second": other}
        back = {**fields, "first": other, "second": one}
        verdicts = (
            await bench.compare(there, ranking.max_tokens, seed),
            await bench.compare(back, ranking.max_tokens, seed),
        )
        share = {(1, 2): 1.0, (2, 1): 0.0}.get(verdicts, 0.5)
        wins[one] += share
        wins[other] += 1.0 - share
    most = max(len(different) - 1, 1)
    return [Scored(text, wins[text] / most) for text in different]


class _Answering(OneParent):
    def per_row(self) -> int:
        """Each row once: `samples` says how many answers."""
        return 1


class RejectionGenerator(_Answering):
    """Each task draws answers to one question and keeps right ones."""

    name: ClassVar[str] = "rejection"
    new_in: ClassVar[NewIn] = "answer"
    makes: ClassVar[Literal["same", "messages", "preference"]] = "messages"

    def __init__(self, config: Rejection) -> None:
        self.config = config

    def usable(self, seed: Seed) -> bool:
        """Whether the row's answer can be scored against."""
        return bool(seed.question) and self.config.scorer.refusal(seed.answer) is None

    async def make(self, task: Task, bench: Bench) -> list[Draft | Lost]:
        """Draw, score, keep; an answer drawn twice counts once."""
        parent, config = task.parents[0], self.config
        drawn = _scored(await _drawn(task, bench, config), config.scorer, parent)
        receipts = tuple(bench.paid)
        if not drawn:
            detail = f"all answers ran into {config.max_tokens} tokens"
            return [Lost(Reason.CUT_OUTPUT, detail, task.parents, "", receipts)]
        right = [one for one in drawn if one.score >= config.least]
        texts = list(dict.fromkeys(one.text for one in right))[: config.keep]
        if not texts:
            best = max(drawn, key=lambda one: one.score)
            detail = (
                f"none of {len(drawn)} answers reaches {config.least:g}; "
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
                verified=f"{config.scorer.kind}: {len(right)} of {len(drawn)} right",
            )
            for place, text in enumerate(texts)
        ]


class PreferenceGenerator(_Answering):
    """Each task draws answers to one question and pairs the best with the worst."""

    name: ClassVar[str] = "preference"
    new_in: ClassVar[NewIn] = "bytes"
    makes: ClassVar[Literal["same", "messages", "preference"]] = "preference"

    def __init__(self, config: Preference) -> None:
        self.config = config
        self._rewarding = RewardModel(config.reward) if config.reward else None

    def usable(self, seed: Seed) -> bool:
        """Whether there is a question, and an answer to score against where a scorer needs it."""
        scorer = self.config.scorer
        return bool(seed.question) and (scorer is None or scorer.refusal(seed.answer) is None)

    async def make(self, task: Task, bench: Bench) -> list[Draft | Lost]:
        """Draw, score or rank, pair.

        Cut answers are never paired: what is learnt would be to stop late.
        """
        parent, config = task.parents[0], self.config
        measure, whole = await self._measured(task, bench)
        receipts = tuple(bench.paid)
        if config.source_is_best and whole and max(one.score for one in whole) < 1.0:
            whole.append(Scored(parent.answer, 1.0))
        best = max(whole, key=lambda one: one.score, default=None)
        worst = min(whole, key=lambda one: one.score, default=None)
        if best is None or worst is None or best.score - worst.score < config.gap:
            scores = ", ".join(f"{one.score:.3g}" for one in whole) or "none"
            detail = f"no two answers differ by {config.gap:g}; scores: {scores}"
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
            verified=f"{measure}: {best.score:.3g} against {worst.score:.3g}",
        )
        return [draft]

    async def _measured(self, task: Task, bench: Bench) -> tuple[str, list[Scored]]:
        parent, config = task.parents[0], self.config
        texts = await _drawn(task, bench, config)
        if config.scorer is not None:
            return config.scorer.kind, _scored(texts, config.scorer, parent)
        if self._rewarding is not None:
            rewards = await self._rewarding.rewards(_turns(parent), texts)
            known = zip(texts, rewards, strict=True)
            whole = [Scored(text, value) for text, value in known if value is not None]
            return self._rewarding.described, whole
        assert config.judge is not None  # the recipe was checked
        ranked = await _ranked(texts, parent.question, config.judge, bench, task.seed)
        return "judge, share of comparisons won", ranked
