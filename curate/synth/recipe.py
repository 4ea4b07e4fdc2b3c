"""The recipe's `augment` section: what is missing, who writes, who checks, what it may cost."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from curate.recipe import Source
from curate.synth.generators.configs import GeneratorConfig
from evalsuite.asking.backends.configs import BackendConfig
from evalsuite.asking.budget import Budget
from evalsuite.scorers import ScorerConfig
from workspace.recipe import Section


class RareLabels(Section):
    """Bring every label of the source up to a number of rows."""

    least: int = Field(ge=1)
    """Rows that every label should have."""
    by: Literal["label", "answer"] = "label"
    """What a row's label is: its label column, or its answer (classification)."""
    only: tuple[str, ...] = ()
    """These labels alone; without it every label that has fewer than `least`."""


class FailedAbilities(Section):
    """Make rows for abilities that an evaluation found wanting.

    Rows are made from source rows with the ability's name as label, or else from the source rows
    most like the items that were answered wrongly. The items themselves are never shown to a
    model, and made rows that hold one are dropped.
    """

    name: str = "latest"
    """Id, name or path of the evaluation."""
    rows: int = Field(ge=1)
    """Rows for each ability."""
    model: str | None = None
    """Which tuned model of the evaluation; left out: the first."""
    verdicts: Annotated[tuple[Literal["fail", "inconclusive"], ...], Field(min_length=1)] = (
        "fail",
    )
    """Which verdicts call for rows."""
    abilities: tuple[str, ...] = ()
    """These abilities, whatever their verdict."""
    nearest: int = Field(default=5, ge=1, le=100)
    """Source rows taken for each item that was answered wrongly."""


class Deficits(Section):
    """Close the gaps that `temper curate coverage --deficits FILE` or `temper eval --failures FILE`
    found.

    Rows are made from the source rows nearest to the real inputs of a gap, or to the items that
    failed, which the file names by id. Inputs and items themselves are in no file and shown to no
    model.
    """

    path: str
    """The file, relative to the recipe."""
    only: tuple[str, ...] = ()
    """These gaps alone, by name."""
    most: int | None = Field(default=None, ge=1)
    """Most rows for each gap."""


class Target(Section):
    """What is missing: one of four."""

    rows: int | None = Field(default=None, ge=1)
    """So many rows, from all of the source."""
    labels: RareLabels | None = None
    evaluation: FailedAbilities | None = None
    deficits: Deficits | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        given = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError("one of: rows, labels, evaluation, deficits")
        return self


class AnswerCheck(Section):
    """Made questions are answered afresh, and the answers compared with the made row's."""

    scorer: ScorerConfig
    """How answers are compared. `json_schema` compares nothing: it checks the row's own answer."""
    samples: int = Field(default=1, ge=1, le=16)
    """Fresh answers for each made row."""
    least: float = Field(default=0.5, gt=0.0, le=1.0)
    """Least mean score of the fresh answers."""
    temperature: float = Field(default=0.0, ge=0.0, le=2.0)
    """0 with one sample; with several, above 0 so that they differ."""
    max_tokens: int = Field(default=512, ge=1, le=32768)
    """Longest fresh answer."""


class JudgeCheck(Section):
    """A model grades each made row beside what it was made from, in both orders."""

    backend: BackendConfig | None = None
    """Another model than the one that writes is the better judge; left out: the same."""
    least: int = Field(default=4, ge=1, le=5)
    """Least grade, 1 to 5, as the mean of both orders. (Preference pairs have no grade: the better
    answer must win in both orders.)"""
    swing: int = Field(default=1, ge=0, le=4)
    """Largest difference between the grades of the two orders; a judge that swings more judged the
    order, and the row is dropped."""
    rubric: str = ""
    """What else counts, in your words."""
    max_tokens: int = Field(default=256, ge=16, le=8192)
    """Longest verdict."""


class Verify(Section):
    """Checks beside the form, which is always checked."""

    answers: AnswerCheck | None = None
    judge: JudgeCheck | None = None


class Novelty(Section):
    """Made rows must be new: against the source, evaluations and each other."""

    threshold: float = Field(default=0.8, gt=0.0, le=1.0)
    """Least similarity (as of `near_duplicates`) at which a made row is no new one. Generators that
    make a question are compared by the question, drawn answers with the other answers to theirs;
    noise must differ at all."""
    suites: tuple[str, ...] | None = None
    """Suites whose items no made row may hold; left out: those of `evaluate`. The validation and
    test rows of the source dataset are always compared."""
    leak_threshold: float = Field(default=0.8, gt=0.0, le=1.0)
    """As `threshold` of `decontaminate`."""


class AugmentSection(Section):
    """New rows made from a dataset, as a dataset of their own: `temper curate augment`."""

    name: str | None = Field(default=None, pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")
    """The made dataset; left out: the recipe's name with `-augmented`."""
    dataset: str | None = None
    """The dataset to make rows from; left out: the one of this recipe. Only its train rows are
    ever shown to a model."""
    sources: tuple[Source, ...] = ()
    """Files to make rows from in place of a dataset, such as documents."""
    generate: Annotated[tuple[GeneratorConfig, ...], Field(min_length=1)]
    """Who makes rows, in turn. All must make rows of one type."""
    target: Target
    backend: BackendConfig | None = None
    """Who answers; rule-based generators need none."""
    verify: Verify = Verify()
    novelty: Novelty = Novelty()
    budget: Budget = Budget()
    prompts: str | None = None
    """A directory of Jinja files (relative to the recipe) that replace ours of the same name."""
    repairs: int = Field(default=2, ge=0, le=10)
    """How often a reply that has not the wanted form is sent back with what is wrong with it."""
    batch: int | None = Field(default=None, ge=1, le=4096)
    """Rows that are made, checked and counted together; left out: 64 where a model is asked, 4096
    where rules alone make rows. Other numbers make other rows; the number of requests under way at
    once does not."""
    give_up: float = Field(default=0.02, ge=0.0, le=1.0)
    """A label or ability is given up when less than this share of its last 60 made rows was
    accepted: more money would buy nothing new."""
    seed: int = 0

    @model_validator(mode="after")
    def _can_be_done(self) -> Self:
        asks = [one.name for one in self.generate if one.needs_model]
        answers = self.verify.answers
        asks += ["verify.answers"] if answers and answers.scorer.kind != "json_schema" else []
        judge = self.verify.judge
        asks += ["verify.judge"] if judge and judge.backend is None else []
        if asks and self.backend is None:
            raise ValueError(f"a `backend`, which {asks[0]} asks")
        if self.dataset is not None and self.sources:
            raise ValueError("`dataset` or `sources`, not both")
        if self.budget.money is not None and any(one.price is None for one in self.backends):
            raise ValueError("a `price` for every backend, which budget.money needs")
        return self

    @property
    def batch_rows(self) -> int:
        """`batch`, or what it is when left out: each batch is compared with all that is known."""
        return self.batch or (64 if self.backends else 4096)

    @property
    def backends(self) -> tuple[BackendConfig, ...]:
        """Everyone who is shown rows."""
        judge = self.verify.judge.backend if self.verify.judge else None
        return tuple(one for one in (self.backend, judge) if one is not None)
