"""A judge of answers: one grade for each, by a rubric, never paid for twice."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from evalsuite.asking.backends.configs import AnyBackend
from evalsuite.asking.budget import Budget
from evalsuite.asking.desk import Desk, RequestFailed
from evalsuite.asking.forms import BadOutput, ask_form, scored_from
from evalsuite.asking.judge_config import JudgeConfig
from evalsuite.asking.purse import BudgetGone
from evalsuite.asking.requests import ChatRequest, Turn
from evalsuite.asking.room import Room
from evalsuite.tasks.templates import Template
from workspace.errors import LimitExceeded

_PROMPTS = Path(__file__).parent / "prompts"


@dataclass(frozen=True)
class Judged:
    """One answer to be graded."""

    question: str
    answer: str
    reference: str = ""
    """A right answer, or nothing."""


@dataclass(frozen=True)
class Grade:
    """What the judge says of one answer."""

    value: float | None
    """From 0 (the scale's lowest) to 1; None: no grade came."""
    reason: str = ""
    """Why there is none."""


class JudgeWords:
    """The prompts beside this file."""

    def render(self, name: str, **fields: Any) -> str:
        return _template(name).text(fields).strip()


@cache
def _template(name: str) -> Template:
    return Template((_PROMPTS / f"{name}.jinja").read_text(encoding="utf-8"))


class Judging(Protocol):
    """What every judge is told: who it is, what may be spent, and from which grade to which."""

    @property
    def backend(self) -> AnyBackend:
        """Which model judges."""

    @property
    def budget(self) -> Budget:
        """What may be spent."""

    @property
    def scale(self) -> tuple[int, int]:
        """The lowest and the highest grade."""


Config = TypeVar("Config", bound=Judging)


class JudgeRoom(Room, Generic[Config]):
    """A judge with its log and its scale."""

    def __init__(
        self, config: Config, *, base_dir: Path, log: Path, cure: str = "Wait for it."
    ) -> None:
        """Open the log and the model.

        Args:
            config: who judges, by what.
            base_dir: where a local model's path begins.
            log: directory of the request log.
            cure: what to do where another process uses the log.

        Raises:
            UsageError: another process uses the log, or the key is not in the environment.
            ModelError: there is no such local model.
        """
        self.config = config
        self.form = scored_from(*config.scale)
        super().__init__(
            config.backend, config.budget, base_dir=base_dir, log=log, what="judging", cure=cure
        )


def spent_by(desk: Desk) -> str:
    """Return what a judge's work cost so far, for people."""
    counts, spent = desk.counts, desk.purse.spent
    money = f", {spent.money:.2f} in money" if spent.money else ""
    return (
        f"{counts.answered:,} grades asked for, {counts.remembered:,} known from the log; "
        f"{spent.requests:,} requests, {spent.tokens:,} tokens{money} in all"
    )


class AnswerJudge(JudgeRoom[JudgeConfig]):
    """Grades answers. A grade that was paid for is in the log before anyone sees it, so that the
    same answer to the same question costs nothing again.
    """

    def grades(self, answers: Sequence[Judged]) -> list[Grade]:
        """Return the grade of each answer.

        Raises:
            LimitExceeded: the budget is gone; what was answered is kept.
            WorkError: the endpoint answers nobody.
        """
        return self.run(self._all(answers))

    @property
    def spent(self) -> str:
        """What it cost so far, for people."""
        return spent_by(self.desk)

    async def _all(self, answers: Sequence[Judged]) -> list[Grade]:
        found = await asyncio.gather(*map(self.grade, answers), return_exceptions=True)
        for one in found:
            if isinstance(one, BudgetGone):
                raise LimitExceeded(
                    f"the judge's budget is gone: {one.limit}",
                    where=self.backend.described,
                    cause=f"{self.spent}. Going on without it would teach something else.",
                    cure="Raise its budget with --set; `temper resume` goes on, and asks "
                    "nothing twice.",
                )
            if isinstance(one, BaseException):
                raise one
        return [one for one in found if isinstance(one, Grade)]

    async def grade(self, one: Judged, *, temperature: float = 0.0, sample: int = 0) -> Grade:
        """Return one grade; `sample` tells several votes on the same answer apart.

        Raises:
            BudgetGone, Interrupted, WorkError: as `Desk.ask`.
        """
        least, most = self.config.scale
        text = JudgeWords().render(
            "judge_answer",
            question=one.question,
            reference=one.reference if self.config.show_answer else "",
            answer=one.answer,
            rubric=self.config.rubric,
            least=least,
            most=most,
        )
        config = self.config
        request = ChatRequest(
            (Turn("user", text),), temperature, 1.0, config.max_tokens, config.seed, sample
        )
        try:
            found, _ = await ask_form(
                self.desk, JudgeWords(), request, self.form, self.config.repairs
            )
        except BadOutput as error:
            return Grade(None, f"the judge's reply is no grade: {error.problem}")
        except RequestFailed as error:
            return Grade(None, f"the request failed: {error}")
        return Grade((found.score - least) / (most - least))
