"""Scores that are opinions of another model: asked for once all answers are there.

Only suites have them. As rewards there are `kind: judge` and `kind: model`.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self, TypeGuard

from pydantic import Field, model_validator

from evalsuite.asking.backends.configs import BackendConfig
from evalsuite.asking.budget import Budget
from evalsuite.asking.judge_config import JudgeConfig
from evalsuite.scorers.placed import Placed
from workspace.errors import ModelError
from workspace.recipe import Section

if TYPE_CHECKING:
    from evalsuite.models import ModelSource

Votes = Annotated[int, Field(ge=1, le=25)]
Temperature = Annotated[float, Field(ge=0.0, le=2.0)]
Ungraded = Annotated[float, Field(ge=0.0, lt=1.0)]


def _check_votes(votes: int, temperature: float) -> None:
    if votes > 1 and temperature == 0:
        raise ValueError("a temperature above 0 for more than one vote: at 0 all would be the same")


def _check_budget(budget: Budget, backend: Any) -> None:
    if budget.money is None and budget.tokens is None and budget.requests is None:
        raise ValueError("a budget of requests, tokens or money: every answer is judged")
    if budget.money is not None and backend.price is None:
        raise ValueError("a `price` for the backend, which budget.money needs")


class JudgeScorer(JudgeConfig):
    """The grade that another model gives by a rubric, from 0 (the scale's lowest) to 1."""

    compares: ClassVar[bool] = False
    kind: Literal["judge"]
    """Another model grades the answer by a rubric."""
    votes: Votes = 1
    """Grades asked for each answer; the score is their mean, and how far they lie apart is told."""
    temperature: Temperature = 0.0
    """Of the judge; above 0 where there are several votes."""
    most_ungraded: Ungraded = 0.02
    """Share of items that may be left without a grade (a reply that is none, a request that
    failed). Their pairs are left out and counted; beyond it the ability is an error. None is 0."""
    budget: Budget
    """What may be spent by all evaluations of this workspace on this task: `requests`, `tokens` or
    `money`. Where it ends, the ability is an error; with more of it the same command goes on, and
    pays for nothing twice."""

    @model_validator(mode="after")
    def _votes_differ(self) -> Self:
        _check_votes(self.votes, self.temperature)
        return self

    def refusal(self, gold: str) -> str | None:
        """Return None: the gold is shown to the judge as it is."""
        return None


class PairwiseScorer(Section):
    """How often another model finds the tuned answer better than the base's; ties count half.

    The base's own score is one half for every item: against itself it would win as often as not.
    The difference is then the win rate minus one half, whichever other models are measured beside.
    """

    compares: ClassVar[bool] = False
    kind: Literal["pairwise"]
    """Another model chooses between base and tuned, each pair in both orders."""
    backend: BackendConfig
    """An OpenAI-compatible endpoint (`base_url`, `model`, `api_key: env:NAME`) or a model on this
    machine (`path`). Both answers are shown to it, with the question."""
    rubric: str = Field(min_length=1)
    """What makes an answer the better one, in your words."""
    show_answer: bool = True
    """Show it the row's own answer as a right one, where there is one."""
    votes: Votes = 1
    """How often each order is asked."""
    temperature: Temperature = 0.0
    """Of the judge; above 0 where there are several votes."""
    max_tokens: int = Field(default=256, ge=16, le=8192)
    """Longest verdict."""
    repairs: int = Field(default=2, ge=0, le=10)
    """How often a reply that is no verdict is sent back with what is wrong with it."""
    most_ungraded: Ungraded = 0.02
    """Share of items that may be left without a verdict; as for `judge`."""
    budget: Budget
    """As for `judge`: two requests for each vote and pair of answers that differ."""
    seed: int = 0
    """Sent with each request."""

    @model_validator(mode="after")
    def _can_be_done(self) -> Self:
        _check_votes(self.votes, self.temperature)
        _check_budget(self.budget, self.backend)
        return self

    def refusal(self, gold: str) -> str | None:
        """Return None: the gold is shown to the judge as it is."""
        return None


class RewardModelScorer(Placed):
    """What a reward model gives question and answer: any number, higher is better."""

    compares: ClassVar[bool] = False
    kind: Literal["reward_model"]
    """The number that a reward model gives; it has no bounds, and margins are in its unit."""
    model: str
    """A run of `method: reward` (`runs/ID`), or the directory of a sequence classification model
    with one label and a chat template; relative to the suite."""
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """Precision of its weights."""
    most_ungraded: Ungraded = 0.02
    """Share of items whose answers may be longer than the model reads; as for `judge`."""

    @cached_property
    def found(self) -> ModelSource:
        """The model, checked as far as its config goes.

        Raises:
            ModelError: there is none, or it is no reward model.
        """
        from evalsuite.models.reward import find_reward_model

        where = f"scorer reward_model: {self.model}"
        if not (self._base_dir / Path(self.model).expanduser()).is_dir():
            raise ModelError(
                "there is no such reward model",
                where=where,
                cause=f"Looked for in {self._base_dir}.",
                cure="Give a run of `method: reward` or a model directory, relative to the suite.",
            )
        return find_reward_model(self.model, None, self._base_dir, where=where)

    @property
    def digest(self) -> str:
        """SHA-256 of the model's weights, config, tokenizer and template. Raises as `found`."""
        return self.found.digest

    def demand(self) -> str:
        """Return which model it is.

        Raises:
            ModelError: there is none, or it is no reward model.
        """
        return f"answers are scored by the reward model {self.model} (digest {self.digest[:12]})"

    def refusal(self, gold: str) -> str | None:
        """Return None: the gold is not looked at."""
        return None


Opinion = JudgeScorer | PairwiseScorer | RewardModelScorer


def is_opinion(scorer: object) -> TypeGuard[Opinion]:
    """Whether a scorer asks another model, once all answers are there."""
    return isinstance(scorer, JudgeScorer | PairwiseScorer | RewardModelScorer)
