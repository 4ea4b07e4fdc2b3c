"""What `score` can be told: one kind of score a step, each with its model and its thresholds."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_serializer, model_validator

from evalsuite.asking.backends.configs import BackendConfig
from evalsuite.asking.budget import Budget
from workspace.recipe import Section
from workspace.shares import Share

Finite = Annotated[float, Field(allow_inf_nan=False)]
Dtype = Literal["float32", "bfloat16"]


class Thresholds(Section):
    """Which rows go by their score. They can be changed later: no score is computed again."""

    kind: ClassVar[str]
    higher_is_better: ClassVar[bool] = True

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")] | None = None
    """What the score is called in `meta.scores`; left out: the kind. Two judges need two names."""
    min: Finite | None = None
    """Rows with a lower score are dropped."""
    max: Finite | None = None
    """Rows with a higher score are dropped."""
    keep_share: Annotated[Share, Field(gt=0.0, lt=1.0)] | None = None
    """Keep this share of the rows that have a score and pass `min` and `max` (`50%` may be
    written); rows that equal the last one kept stay too."""
    keep: Literal["highest", "lowest"] | None = None
    """Which end `keep_share` keeps; left out: the lowest of `perplexity`, else the highest."""
    without: Literal["keep", "drop"] = "keep"
    """What becomes of rows that have no score: too long for the model, refused by its template,
    or a reply of the judge that cannot be read. They are counted and told in any case."""

    @model_validator(mode="after")
    def _some_can_pass(self) -> Self:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError("min must not be above max")
        if self.keep is not None and self.keep_share is None:
            raise ValueError("`keep` says which end `keep_share` keeps; give that too")
        return self

    @property
    def column(self) -> str:
        """Name of the score."""
        return self.name or self.kind

    @property
    def keeps_highest(self) -> bool:
        """Which end `keep_share` keeps."""
        return self.keep == "highest" if self.keep else self.higher_is_better


class Perplexity(Thresholds):
    """How surprising the answers are to a model: high is foreign or broken, low is known."""

    kind = "perplexity"
    higher_is_better = False

    model: str | None = None
    """`builtin`, a model directory (relative to the recipe) or a hub name; left out: the recipe's
    model."""
    revision: str | None = None
    """Hub names only."""
    dtype: Dtype = "float32"
    """Precision of the weights; log-probabilities are always taken in float32. `bfloat16` is
    twice as fast on a GPU and other numbers, so it is another score."""
    measure: Literal["perplexity", "bits_per_byte"] = "perplexity"
    """What the thresholds are about: perplexity per token, or bits per byte of the answers, which
    models with other tokenizers can be compared by. Both are kept."""

    @property
    def column(self) -> str:
        """Name of the score that the thresholds are about."""
        own = self.name or self.kind
        return own if self.measure == "perplexity" else f"{own}_bits_per_byte"


class Ifd(Thresholds):
    """How little the prompt helps a model to the answer: instruction-following difficulty."""

    kind = "ifd"

    model: str | None = None
    """`builtin`, a model directory (relative to the recipe) or a hub name; left out: the recipe's
    model."""
    revision: str | None = None
    """Hub names only."""
    dtype: Dtype = "float32"
    """Precision of the weights; log-probabilities are always taken in float32."""


class Judge(Thresholds):
    """The grade that a model gives a row by your rubric."""

    kind = "judge"

    backend: BackendConfig
    """Who judges; rows are shown to it. A row that the same model made is not judged by it."""
    rubric: Annotated[str, Field(min_length=1)]
    """What is graded, in your words, and what the grades mean."""
    scale: tuple[int, int] = (1, 5)
    """The lowest and the highest grade; whole numbers."""
    max_tokens: int = Field(default=256, ge=16, le=8192)
    """Longest verdict."""
    repairs: int = Field(default=2, ge=0, le=10)
    """How often a reply that is no grade is sent back with what is wrong with it."""
    budget: Budget = Budget()
    """What may be spent with this judge and rubric, over all runs. Rows beyond it have no score."""
    prompts: str | None = None
    """A directory of Jinja files (relative to the recipe) that replace ours: `judge_score.jinja`,
    `repair.jinja`."""
    seed: int = 0

    @model_validator(mode="after")
    def _can_be_done(self) -> Self:
        if self.scale[0] >= self.scale[1]:
            raise ValueError("a scale of a lower and a higher grade, such as [1, 5]")
        if self.budget.money is not None and self.backend.price is None:
            raise ValueError("a `price` for the backend, which budget.money needs")
        return self


class Reward(Thresholds):
    """What a reward model gives a whole chat; of a preference, both answers and their margin."""

    kind = "reward"

    model: str
    """A directory (relative to the recipe) or hub name of a sequence classification model with
    one label, such as a reward model's."""
    revision: str | None = None
    """Hub names only."""
    dtype: Dtype = "float32"
    """Precision of the weights."""
    min_margin: Finite | None = None
    """Of preferences: drop pairs of which chosen is not at least so much better than rejected; 0
    drops those whose order the reward model denies."""


ScoreConfig = Perplexity | Ifd | Judge | Reward


class Score(Section):
    """Give every row a number by a model, and drop rows by it."""

    perplexity: Perplexity | None = None
    ifd: Ifd | None = None
    judge: Judge | None = None
    reward: Reward | None = None

    @model_validator(mode="before")
    @classmethod
    def _bare_kind(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {value: {}}
        if isinstance(value, dict):
            unknown = [str(name) for name in value if name not in cls.model_fields]
            if unknown:
                raise ValueError(f"one of: {', '.join(cls.model_fields)}")
            return {name: {} if settings is None else settings for name, settings in value.items()}
        return value

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        given = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"one of: {', '.join(type(self).model_fields)}")
        return self

    @model_serializer
    def _only_the_kind(self) -> dict[str, Any]:
        return {self.config.kind: self.config.model_dump(mode="json")}

    @property
    def config(self) -> ScoreConfig:
        """The kind that is given."""
        return next(
            found
            for found in (self.perplexity, self.ifd, self.judge, self.reward)
            if found is not None
        )
