"""Judges of an evaluation: several votes for each answer, and pairs of answers in both orders."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from evalsuite.asking.desk import RequestFailed
from evalsuite.asking.forms import BadOutput, Form, ask_form
from evalsuite.asking.judge import AnswerJudge, Grade, Judged, JudgeWords, spent_by
from evalsuite.asking.purse import BudgetGone
from evalsuite.asking.requests import ChatRequest, Turn
from evalsuite.asking.room import Room
from evalsuite.scorers.opinions import JudgeScorer, PairwiseScorer
from evalsuite.stats.preference import Game
from workspace.errors import WorkError

Result = TypeVar("Result")
_BUSY = "Wait for the other evaluation; nothing that was answered or judged is lost."


class JudgeGone(Exception):
    """The judge says no more: nobody answers, or its budget is gone. What it said is logged."""


async def _all(asked: Sequence[Coroutine[Any, Any, Result]]) -> list[Result]:
    """Wait for all, since each may be paid for, and raise the first of what was raised."""
    found = await asyncio.gather(*asked, return_exceptions=True)
    for one in found:
        if isinstance(one, BaseException):
            raise one
    return [one for one in found if not isinstance(one, BaseException)]


def _told(room: Room, asked: Sequence[Coroutine[Any, Any, Result]]) -> list[Result]:
    """Return what all gave, or tell that the judge is gone."""
    try:
        return room.run(_all(asked))
    except BudgetGone as error:
        raise JudgeGone(f"the judge's budget of {error.limit} is gone") from None
    except WorkError as error:
        raise JudgeGone(f"{error.title} ({error.where}): {error.cause.rstrip('.')}") from None


class VotingJudge:
    """Grades answers, several times each if asked to."""

    def __init__(self, config: JudgeScorer, base_dir: Path, log: Path) -> None:
        """Open the judge. Raises as `asking.judge.JudgeRoom`."""
        self.config = config
        self._judge = AnswerJudge(config, base_dir=base_dir, log=log, cure=_BUSY)

    def votes(self, answers: Sequence[Judged]) -> list[tuple[Grade, ...]]:
        """Return the grades of each answer, as many as the configuration has votes.

        Raises:
            JudgeGone: nobody answers, or the budget is gone.
        """
        return _told(self._judge, [self._votes(one) for one in answers])

    async def _votes(self, one: Judged) -> tuple[Grade, ...]:
        temperature = self.config.temperature
        grades = [
            self._judge.grade(one, temperature=temperature, sample=sample)
            for sample in range(self.config.votes)
        ]
        return tuple(await _all(grades))

    @property
    def spent(self) -> str:
        """What it cost so far, for people."""
        return self._judge.spent

    def close(self) -> None:
        """Close the judge and its log."""
        self._judge.close()


class Preferred(Form):
    """Which of two answers is the better one."""

    better: Literal["first", "second", "neither"]
    reason: str = ""


@dataclass(frozen=True)
class Pair:
    """Two answers to one question."""

    question: str
    tuned: str
    base: str
    reference: str = ""
    """A right answer, or nothing."""


@dataclass(frozen=True)
class Games:
    """Both orders of one pair, as often as there are votes, from the tuned answer's view."""

    first: tuple[Game, ...] = ()
    """With the tuned answer first."""
    second: tuple[Game, ...] = ()
    """With the tuned answer second."""
    problem: str = ""
    """Why there are none."""


class PairJudge(Room):
    """Compares pairs of answers; what was paid for is in the log before anyone sees it."""

    def __init__(self, config: PairwiseScorer, base_dir: Path, log: Path) -> None:
        """Open the judge. Raises as `asking.room.Room`."""
        self.config = config
        super().__init__(
            config.backend, config.budget, base_dir=base_dir, log=log, what="judging", cure=_BUSY
        )

    def games(self, pairs: Sequence[Pair]) -> list[Games]:
        """Return what became of each pair.

        Raises:
            JudgeGone: nobody answers, or the budget is gone.
        """
        return _told(self, [self._games(one) for one in pairs])

    async def _games(self, pair: Pair) -> Games:
        asked = [
            self._game(pair, sample, tuned_first=tuned_first)
            for tuned_first in (True, False)
            for sample in range(self.config.votes)
        ]
        try:
            games = await _all(asked)
        except BadOutput as error:
            return Games(problem=f"the judge's reply is no verdict: {error.problem}")
        except RequestFailed as error:
            return Games(problem=f"the request failed: {error}")
        return Games(tuple(games[: self.config.votes]), tuple(games[self.config.votes :]))

    async def _game(self, pair: Pair, sample: int, *, tuned_first: bool) -> Game:
        text = JudgeWords().render(
            "judge_pair",
            question=pair.question,
            reference=pair.reference if self.config.show_answer else "",
            first=pair.tuned if tuned_first else pair.base,
            second=pair.base if tuned_first else pair.tuned,
            rubric=self.config.rubric,
        )
        config = self.config
        request = ChatRequest(
            (Turn("user", text),), config.temperature, 1.0, config.max_tokens, config.seed, sample
        )
        found, _ = await ask_form(self.desk, JudgeWords(), request, Preferred, config.repairs)
        if found.better == "neither":
            return "T"
        return "W" if (found.better == "first") == tuned_first else "L"

    @property
    def spent(self) -> str:
        """What it cost so far, for people."""
        return spent_by(self.desk)
