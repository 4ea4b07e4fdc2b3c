"""What a suite's YAML may say."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from evalsuite.benchmarks.section import BenchmarkSection
from evalsuite.scorers import PairwiseScorer, RewardModelScorer, TaskScorerConfig, compares
from evalsuite.tasks.hub_rows import HUB, DatasetPlace
from workspace.recipe import Section

TaskKind = Literal["generation", "choice", "perplexity", "lm_eval"]
_ASKED = ("scorer", "choices", "prompt", "system", "gold", "few_shot", "chance")
ChoiceMetric = Literal["acc", "acc_norm", "acc_bytes"]


class Rows(Section):
    """Where rows are read from."""

    data: str = Field(min_length=1)
    """.jsonl, .json, .csv, .tsv or .parquet, relative to the suite; or `hf:NAME`, a Hugging Face
    dataset: a folder relative to the suite, or a name on the hub."""
    split: str | None = None
    """Of `hf:NAME`: which split. It is never guessed."""
    subset: str | None = None
    """Of `hf:NAME`: which configuration, where there are several."""

    def place(self, directory: Path) -> Path | DatasetPlace:
        """Return what `data` names, seen from the suite's `directory`."""
        if not self.data.startswith(HUB):
            return directory / self.data
        name = self.data.removeprefix(HUB)
        folder = directory / Path(name).expanduser()
        return DatasetPlace(str(folder) if folder.is_dir() else name, self.split, self.subset)

    @model_validator(mode="after")
    def _only_datasets_have_splits(self) -> Self:
        for field in ("split", "subset"):
            if getattr(self, field) is not None and not self.data.startswith(HUB):
                raise ValueError(f"no `{field}`, which only `data: hf:NAME` has")
        return self


class FewShot(Rows):
    """Solved examples put before every item; never the items of the test themselves."""

    count: int = Field(default=3, ge=1, le=64)
    """How many examples, the same for every item."""
    seed: int = 1234
    """Which examples: a seeded draw."""


class Task(Rows):
    """Items of one kind that measure one ability."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")
    """Unique within the suite."""
    ability: str = ""
    """What it measures; tasks with equal abilities are judged together. Default: the name."""
    kind: TaskKind
    """generation: the model writes; choice: it prefers; perplexity: it predicts a text; lm_eval: a
    public benchmark, asked through lm_eval."""
    data: str = ""
    """As of rows anywhere; every kind but lm_eval needs it."""
    lm_eval: BenchmarkSection | None = None
    """lm_eval only: which benchmark."""
    id: str = "id"
    """The field that names an item; `row` uses the number of the row."""
    prompt: str | None = None
    """Jinja template of the user turn; without it the rows carry `messages`."""
    system: str | None = None
    """Jinja template of the system turn."""
    gold: str | None = None
    """Jinja template of the right answer; for a choice its text or its index from 0. A list holds
    several right answers, for scorers that compare texts. Rows with `messages` need none: their
    last assistant turn is taken out and is the right answer."""
    choices: str | None = None
    """Choice only: Jinja expression that gives the list of answers."""
    text: str | None = None
    """Perplexity only: Jinja template of the text, read without a chat template."""
    scorer: TaskScorerConfig | None = None
    """Generation only: by name or with settings; see docs/scorers.md for all of them."""
    metric: ChoiceMetric = "acc"
    """Choice only: by log-likelihood, per character (acc_norm) or per byte (acc_bytes)."""
    max_new_tokens: int = Field(default=64, ge=1, le=16384)
    """Generation only: where an answer is cut; cut answers are counted."""
    cluster: str | None = None
    """The field whose equal values make items dependent (a document, a template)."""
    chance: float | None = Field(default=None, ge=0.0, lt=1.0)
    """Generation only: the mean score of guessing, where an answer is one of a few. Left out, it is
    0; of choices it is known."""
    held_back: bool = False
    """Never replayed in training: reported apart."""
    margin: float | None = Field(default=None, gt=0.0, le=1.0)
    """Largest loss that still counts as kept; left out: the suite's. Tasks of one ability agree on
    this and the next three."""
    alpha: float | None = Field(default=None, gt=0.0, lt=0.5)
    """Probability of a wrong verdict; left out: the suite's."""
    min_items: int | None = Field(default=None, ge=2)
    """Items that the ability needs before it can be judged; left out: the suite's."""
    min_gain: float | None = Field(default=None, ge=0.0, le=1.0)
    """Target only: the gain that must be exceeded; left out: the suite's."""
    few_shot: FewShot | None = None
    """Examples for `--prompts`, and for every item where the recipe says `few_shot: true`."""

    @property
    def unit(self) -> str:
        """What its scores are of, in words: only scores of one unit have a common mean."""
        if self.kind == "perplexity":
            return "perplexity"
        if isinstance(self.scorer, PairwiseScorer):
            return "comparisons"
        if isinstance(self.scorer, RewardModelScorer):
            return "rewards without bounds"
        return "right or wrong"

    @property
    def is_question(self) -> bool:
        """Whether it has prompts of ours, which can be asked in other ways."""
        return self.kind in ("generation", "choice")

    @property
    def measures(self) -> str:
        """The ability's name."""
        return self.ability or self.name

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        needed = {
            "generation": ("data", "scorer"),
            "choice": ("data", "gold", "choices"),
            "perplexity": ("data", "text"),
            "lm_eval": ("lm_eval",),
        }[self.kind]
        for field in needed:
            if getattr(self, field) in (None, ""):
                raise ValueError(f"a value for `{field}`, which kind {self.kind} needs")
        answered = self.gold is not None or self.prompt is None
        if self.scorer is not None and compares(self.scorer) and not answered:
            raise ValueError(f"a value for `gold`, which scorer {self.scorer.kind} needs")
        unanswered = self.scorer is not None and self.scorer.kind in ("constraints", "language")
        if self.few_shot and self.scorer is not None and unanswered and compares(self.scorer):
            raise ValueError(
                f"no `few_shot`: what scorer {self.scorer.kind} compares with is no answer"
            )
        foreign = {
            "generation": ("choices", "text", "lm_eval"),
            "choice": ("scorer", "text", "chance", "lm_eval"),
            "perplexity": (*_ASKED, "lm_eval"),
            "lm_eval": (*_ASKED, "text", "data"),
        }[self.kind]
        for field in foreign:
            if getattr(self, field) not in (None, ""):
                raise ValueError(f"no `{field}`, which kind {self.kind} does not read")
        return self


def _given_again(name: str, places: Sequence[int]) -> ValidationError:
    """Return the error of a task's name that another has, at the second of them."""
    expected = f"every task name once; `{name}` is the name of tasks.{places[0]} already"
    where = ("tasks", places[1], "name")
    kind = PydanticCustomError("value_error", expected)
    return ValidationError.from_exception_data(
        "Suite", [{"type": kind, "loc": where, "input": name}]
    )


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
            raise _given_again(twice[0], [at for at, name in enumerate(names) if name == twice[0]])
        for ability in {task.measures for task in self.tasks}:
            units = sorted({task.unit for task in self.tasks if task.measures == ability})
            if len(units) > 1:
                raise ValueError(f"no {units[0]} beside {units[1]} in ability {ability}")
            self._terms_agree(ability)
        return self

    def _terms_agree(self, ability: str) -> None:
        tasks = [task for task in self.tasks if task.measures == ability]
        for term in ("margin", "alpha", "min_items", "min_gain"):
            own = [getattr(task, term) for task in tasks]
            found = {getattr(self, term) if value is None else value for value in own}
            if len(found) > 1:
                said = " and ".join(f"{value:g}" for value in sorted(found))
                raise ValueError(f"one {term} for all tasks of ability {ability}, not {said}")
        for task in tasks:
            if task.min_gain is not None and self.purpose != "target":
                raise ValueError(f"no min_gain in task {task.name}: nothing is to be gained here")
