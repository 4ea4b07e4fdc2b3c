"""What a suite's YAML may say."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from evalsuite.scorers import ScorerConfig, compares
from workspace.recipe import Section

TaskKind = Literal["generation", "choice", "perplexity"]
ChoiceMetric = Literal["acc", "acc_norm", "acc_bytes"]


class FewShot(Section):
    """Solved examples put before every item; never the items of the test themselves."""

    data: str
    """Rows like those of the task, relative to the suite."""
    count: int = Field(default=3, ge=1, le=64)
    """How many examples, the same for every item."""
    seed: int = 1234
    """Which examples: a seeded draw."""


class Task(Section):
    """Items of one kind that measure one ability."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")
    """Unique within the suite."""
    ability: str = ""
    """What it measures; tasks with equal abilities are judged together. Default: the name."""
    kind: TaskKind
    """generation: the model writes; choice: it prefers; perplexity: it predicts a text."""
    data: str
    """.jsonl, .csv or .parquet, relative to the suite."""
    id: str = "id"
    """The field that names an item; `row` uses the number of the row."""
    prompt: str | None = None
    """Jinja template of the user turn; without it the rows carry `messages`."""
    system: str | None = None
    """Jinja template of the system turn."""
    gold: str | None = None
    """Jinja template of the right answer; for a choice its text or its index from 0. Rows with
    `messages` need none: their last assistant turn is taken out and is the right answer."""
    choices: str | None = None
    """Choice only: Jinja expression that gives the list of answers."""
    text: str | None = None
    """Perplexity only: Jinja template of the text, read without a chat template."""
    scorer: ScorerConfig | None = None
    """Generation only: exact, normalised, contains, numeric, maths, regex, json, json_schema or
    code."""
    metric: ChoiceMetric = "acc"
    """Choice only: by log-likelihood, per character (acc_norm) or per byte (acc_bytes)."""
    max_new_tokens: int = Field(default=64, ge=1, le=16384)
    """Generation only: where an answer is cut; cut answers are counted."""
    cluster: str | None = None
    """The field whose equal values make items dependent (a document, a template)."""
    held_back: bool = False
    """Never replayed in training: reported apart."""
    few_shot: FewShot | None = None
    """Examples for `--prompts`, and for every item where the recipe says `few_shot: true`."""

    @property
    def measures(self) -> str:
        """The ability's name."""
        return self.ability or self.name

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        needed = {
            "generation": ("scorer",),
            "choice": ("gold", "choices"),
            "perplexity": ("text",),
        }[self.kind]
        for field in needed:
            if getattr(self, field) is None:
                raise ValueError(f"a value for `{field}`, which kind {self.kind} needs")
        answered = self.gold is not None or self.prompt is None
        if self.scorer is not None and compares(self.scorer) and not answered:
            raise ValueError(f"a value for `gold`, which scorer {self.scorer.kind} needs")
        foreign = {
            "generation": ("choices", "text"),
            "choice": ("scorer", "text"),
            "perplexity": ("scorer", "choices", "prompt", "system", "gold", "few_shot"),
        }[self.kind]
        for field in foreign:
            if getattr(self, field) is not None:
                raise ValueError(f"no `{field}`, which kind {self.kind} does not read")
        return self


class Suite(Section):
    """Tasks that are judged together, with the margin fixed before any model is trained."""

    schema_version: Literal[1]
    """1."""
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")
    """The suite's name."""
    purpose: Literal["target", "retention"]
    """target: abilities to gain; retention: abilities to keep."""
    margin: float = Field(default=0.05, gt=0.0, le=1.0)
    """Largest loss, in score points, that still counts as kept."""
    alpha: float = Field(default=0.05, gt=0.0, lt=0.5)
    """Probability of a wrong verdict that is accepted, per test."""
    min_items: int = Field(default=500, ge=2)
    """Items an ability needs before it can be judged."""
    min_gain: float = Field(default=0.05, ge=0.0, le=1.0)
    """Target only: the gain that must be exceeded, by the lower bound of the difference."""
    tasks: list[Task] = Field(min_length=1)
    """The tasks."""

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        names = [task.name for task in self.tasks]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"every task name once; {twice[0]} is given twice")
        for ability in {task.measures for task in self.tasks}:
            kinds = {task.kind == "perplexity" for task in self.tasks if task.measures == ability}
            if len(kinds) > 1:
                raise ValueError(f"no perplexity beside right or wrong in ability {ability}")
        return self
